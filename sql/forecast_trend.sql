-- The trend's arithmetic by SQL: against a naive computation, with outliers, seasons, ties and bad input.
CREATE EXTENSION dbmaint;

-- a line is recovered, and a quarter of outliers does not move it
SELECT * FROM dbmaint_theil_sen(ARRAY[1, 2, 3, 4]::float8[], ARRAY[5, 7, 9, 11]::float8[]);
SELECT points, slope, intercept
  FROM dbmaint_theil_sen(ARRAY(SELECT i::float8 FROM generate_series(1, 40) AS i),
                         ARRAY(SELECT CASE WHEN i % 4 = 0 THEN 1e6 * (i % 3 - 1) ELSE 3 * i - 2 END::float8 FROM generate_series(1, 40) AS i));

-- against medians by percentile_cont, on points of every kind
WITH data AS (
    SELECT r, i::float8 AS x,
           CASE r % 4 WHEN 0 THEN (i * i * (r + 7)) % 101           -- anything
                      WHEN 1 THEN (i * r) % 3                       -- ties
                      WHEN 2 THEN -i * 0.25 + (i * 37 * r) % 11     -- falling, with noise
                      ELSE i + CASE WHEN i % 5 = 0 THEN 1e9 ELSE 0 END END::float8 AS y
      FROM generate_series(1, 40) AS r, generate_series(1, 2 + r) AS i
), naive AS (
    SELECT a.r, percentile_cont(0.5) WITHIN GROUP (ORDER BY (b.y - a.y) / (b.x - a.x)) AS slope
      FROM data AS a JOIN data AS b ON b.r = a.r AND b.x > a.x
     GROUP BY a.r
), ours AS (
    SELECT d.r, t.*
      FROM (SELECT r, array_agg(x ORDER BY x) AS x, array_agg(y ORDER BY x) AS y FROM data GROUP BY r) AS d,
           dbmaint_theil_sen(d.x, d.y) AS t
)
SELECT count(*), count(*) FILTER (WHERE abs(n.slope - o.slope) <= 1e-9 * greatest(abs(n.slope), 1)) AS same,
       bool_and(o.slope_low <= o.slope AND o.slope <= o.slope_high) AS within
  FROM naive AS n JOIN ours AS o USING (r);

-- the more certain, the wider, up to what a number can say of certainty
SELECT c AS confidence, t.slope, t.slope_low <= t.slope AND t.slope <= t.slope_high AS around, t.slope_high - t.slope_low >= lag(t.slope_high - t.slope_low) OVER (ORDER BY c) AS wider
  FROM unnest(ARRAY[1e-300, 0.5, 0.95, 0.999999, 0.9999999999999999]::float8[]) AS c,
       dbmaint_theil_sen(ARRAY(SELECT i::float8 FROM generate_series(1, 40) AS i), ARRAY(SELECT i + (i * 37 % 11)::float8 FROM generate_series(1, 40) AS i), c) AS t;

-- what is no number is left out; no two places, no line
SELECT * FROM dbmaint_theil_sen(ARRAY[1, 2, NULL, 4, 5, 'NaN']::float8[], ARRAY[1, 'infinity', 3, NULL, 5, 6]::float8[]);
SELECT * FROM dbmaint_theil_sen(ARRAY[3, 3, 3]::float8[], ARRAY[1, 2, 3]::float8[]);
SELECT * FROM dbmaint_theil_sen('{}', '{}');
SELECT * FROM dbmaint_theil_sen(ARRAY[1, 2]::float8[], ARRAY['-1e308', '1e308']::float8[]);
SELECT dbmaint_theil_sen(NULL, '{}') IS NULL AS strict;

-- a series goes on: constant, rising, with a week, with gaps
SELECT * FROM dbmaint_project(array_fill(7::float8, ARRAY[20]), 0, 2);
SELECT * FROM dbmaint_project(ARRAY(SELECT 10 + 2 * i::float8 FROM generate_series(1, 30) AS i), 7, 2);
SELECT step, round(expected::numeric, 6) AS expected, season
  FROM dbmaint_project(ARRAY(SELECT CASE WHEN i % 11 = 5 THEN NULL ELSE 100 + i - 30 * (i % 7 >= 5)::int END::float8
                               FROM generate_series(0, 41) AS i), 7, 7);
SELECT * FROM dbmaint_project(ARRAY[NULL, 1, 'NaN']::float8[], 0, 5);
SELECT * FROM dbmaint_project(ARRAY[1, 2]::float8[], 0, 0);
-- the farther, the wider
SELECT bool_and(high - low >= before) AS wider
  FROM (SELECT step, high - low AS width, high, low, lag(high - low, 1, 0) OVER (ORDER BY step) AS before
          FROM dbmaint_project(ARRAY(SELECT i + (i * 7919 % 13)::float8 FROM generate_series(1, 60) AS i), 0, 60)) AS p;

-- it begins at the present, and after a break: a rise, a level, too short a one, an outlier
CREATE FUNCTION next_of(which text, series float8[], period int, steps int, OUT series_name text, OUT at_step int, OUT expected numeric, OUT low numeric, OUT high numeric, OUT since int, OUT shift numeric)
RETURNS SETOF record LANGUAGE sql AS $$
    SELECT which, p.step, round(p.expected::numeric, 3), round(p.low::numeric, 3), round(p.high::numeric, 3), p.since, round(p.shift::numeric, 3)
      FROM dbmaint_project(series, period, steps) AS p WHERE p.step IN (1, steps) ORDER BY p.step
$$;
SELECT n.* FROM next_of('rise', ARRAY(SELECT greatest(100, 40 + i)::float8 FROM generate_series(1, 90) AS i), 7, 30) AS n
UNION ALL SELECT n.* FROM next_of('level', ARRAY(SELECT CASE WHEN i <= 70 THEN 100 ELSE 200 END::float8 FROM generate_series(1, 90) AS i), 7, 30) AS n
UNION ALL SELECT n.* FROM next_of('level, far', ARRAY(SELECT CASE WHEN i <= 70 THEN 100 ELSE 200 END::float8 FROM generate_series(1, 90) AS i), 7, 90) AS n
UNION ALL SELECT n.* FROM next_of('fall of a week', ARRAY(SELECT CASE WHEN i <= 83 THEN 100 + i % 3 ELSE 50 END::float8 FROM generate_series(1, 90) AS i), 0, 7) AS n
UNION ALL SELECT n.* FROM next_of('outliers', ARRAY(SELECT CASE WHEN i <= 87 THEN 100 + i % 3 ELSE 1e9 END::float8 FROM generate_series(1, 90) AS i), 0, 7) AS n;
DROP FUNCTION next_of;
-- growth since it changed
SELECT * FROM dbmaint_recent_theil_sen(ARRAY(SELECT i::float8 FROM generate_series(1, 31) AS i), ARRAY(SELECT greatest(3000, 3000 + 4500 * (i - 24))::float8 FROM generate_series(1, 31) AS i), 4);
SELECT * FROM dbmaint_recent_theil_sen(ARRAY(SELECT i::float8 FROM generate_series(1, 31) AS i), ARRAY(SELECT greatest(3000, 3000 + 4500 * (i - 24))::float8 FROM generate_series(1, 31) AS i), 10);
SELECT * FROM dbmaint_recent_theil_sen('{1}', '{1}', 4);

-- bad input
SELECT dbmaint_recent_theil_sen('{1,3,2}', '{1,2,3}', 4);
SELECT dbmaint_recent_theil_sen('{1,2}', '{1,2}', 4, 0);
SELECT dbmaint_theil_sen(ARRAY[1, 2]::float8[], ARRAY[1]::float8[]);
SELECT dbmaint_theil_sen(ARRAY[[1, 2], [3, 4]]::float8[], ARRAY[1]::float8[]);
SELECT dbmaint_theil_sen('{1}', '{1}', 1);
SELECT dbmaint_theil_sen('{1}', '{1}', 'NaN');
SELECT dbmaint_theil_sen(array_fill(1::float8, ARRAY[2001]), array_fill(1::float8, ARRAY[2001]));
SELECT dbmaint_project('{1,2}', -1, 1);
SELECT dbmaint_project('{1,2}', 169, 1);
SELECT dbmaint_project('{1,2}', 0, -1);
SELECT dbmaint_project('{1,2}', 0, 2000000000);
SELECT dbmaint_project('{1,2}', 0, 1, 0);
SELECT dbmaint_recent_theil_sen('{1,2}', '{1}', -5);
DROP EXTENSION dbmaint;
