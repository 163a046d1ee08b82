-- Lists added up by key.
CREATE EXTENSION dbmaint;
SELECT dbmaint_packed_total(k, ARRAY[a, b], ARRAY[c] ORDER BY place)
  FROM (VALUES (1, '{1,2,70}'::dbmaint_packed, '{1,2,3}'::dbmaint_packed, NULL::dbmaint_packed, '{10,20,30}'::dbmaint_packed),
               (2, '{2,1000000}', '{5,-7}', '{1,1}', '{0,5}'),
               (3, '{70}', NULL, '{-4}', NULL),
               (4, '{}', '{}', NULL, NULL),
               (5, NULL, NULL, NULL, NULL)) AS v(place, k, a, b, c);
-- no rows, no lists, no keys, all zero
SELECT dbmaint_packed_total(k, ARRAY[k], NULL) FROM (SELECT NULL::dbmaint_packed WHERE false) AS v(k);
SELECT dbmaint_packed_total(NULL, NULL, NULL);
SELECT dbmaint_packed_total('{3,1}', NULL, NULL);
SELECT dbmaint_packed_total('{}', ARRAY[NULL::dbmaint_packed], '{}');
SELECT dbmaint_packed_total('{0,2147483647}', '{"{0,0}"}', NULL);
-- sums stay within a bigint
SELECT dbmaint_packed_total('{1,2}', ARRAY[a], ARRAY[a]::dbmaint_packed[])
  FROM (VALUES ('{9223372036854775807,-9223372036854775808}'::dbmaint_packed), ('{1,-1}')) AS v(a);
-- against SQL
SELECT setseed(0.5);
CREATE TEMP TABLE lists AS
SELECT r, array_agg(k::bigint ORDER BY k) AS keys, array_agg((random() * 1000)::bigint - 300 ORDER BY k) AS a,
       array_agg((random() * random() * 3)::bigint ORDER BY k) AS b, array_agg((random() * 1e9)::bigint ORDER BY k) AS c
  FROM generate_series(1, 50) AS r, generate_series(1, 2000, 7) AS s(j), LATERAL (SELECT j + (random() * 6)::int) AS g(k)
 WHERE random() < 0.5 GROUP BY r;
WITH total AS (SELECT dbmaint_packed_total(keys::dbmaint_packed, ARRAY[a::dbmaint_packed, b::dbmaint_packed], ARRAY[c::dbmaint_packed] ORDER BY r) AS t FROM lists),
     rows AS (SELECT v.* FROM total, ROWS FROM (dbmaint_unpack(t[1]), dbmaint_unpack(t[2]), dbmaint_unpack(t[3]), dbmaint_unpack(t[4])) AS v(k, a, b, c)),
     naive AS (SELECT v.k, sum(v.a)::bigint AS a, sum(v.b)::bigint AS b, (array_agg(v.c ORDER BY r DESC))[1] AS c
                 FROM lists, unnest(keys, a, b, c) AS v(k, a, b, c) GROUP BY v.k)
SELECT (SELECT count(*) FROM rows) > 200 AS many, (SELECT count(*) FROM (TABLE rows EXCEPT TABLE naive) AS d) AS different,
       (SELECT count(*) FROM (TABLE naive EXCEPT TABLE rows) AS d) AS missing;
-- bad input
SELECT dbmaint_packed_total('{-1}', NULL, NULL);
SELECT dbmaint_packed_total('{2147483648}', NULL, NULL);
SELECT dbmaint_packed_total('{1,2}', '{"{1}"}', NULL);
SELECT dbmaint_packed_total('{1}', a, NULL) FROM (VALUES ('{"{1}"}'::dbmaint_packed[]), ('{}')) AS v(a);
SELECT dbmaint_packed_total('{1}', '{{"{1}"},{"{2}"}}', NULL);
DROP EXTENSION dbmaint;
