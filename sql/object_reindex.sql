-- An index that REINDEX CONCURRENTLY made anew has the old one's counters, which
-- do not count again.
CREATE EXTENSION dbmaint;
SET enable_seqscan = off;
SET jit = off;
CREATE TABLE a (id int PRIMARY KEY, v text);
INSERT INTO a SELECT i, repeat('x', 100) FROM generate_series(1, 5000) AS i;
CREATE PROCEDURE scan(times int) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. times LOOP
        PERFORM v FROM a WHERE id = i;
    END LOOP;
    PERFORM pg_stat_force_next_flush();
END $$;
CREATE VIEW counted AS
SELECT h.taken_at AT TIME ZONE 'UTC' AS at, h.complete, h.idx_scan, h.idx_tup_fetch, sign(h.grown_bytes) AS grown
  FROM dbmaint_index_history AS h WHERE h.indexname = 'a_pkey' AND h.tablename = 'a';
SELECT status FROM dbmaint_run_due('2026-01-01 00:00:00+00') WHERE collector = 'indexes';
CALL scan(50);
SELECT status FROM dbmaint_run_due('2026-01-01 00:30:00+00') WHERE collector = 'indexes';
CALL scan(7);
REINDEX INDEX CONCURRENTLY a_pkey;
CALL scan(3);
SELECT status FROM dbmaint_run_due('2026-01-01 01:00:00+00') WHERE collector = 'indexes';
CALL scan(2);
SELECT status FROM dbmaint_run_due('2026-01-01 01:30:00+00') WHERE collector = 'indexes';
SELECT * FROM counted ORDER BY at;

-- as large as it was, it has not grown
SELECT sum(h.grown_bytes) FROM dbmaint_index_history AS h WHERE h.indexname = 'a_pkey' AND h.tablename = 'a' AND h.taken_at > '2026-01-01 00:30+00';

-- one that was dropped and made again begins with zero
DROP TABLE a;
CREATE TABLE a (id int PRIMARY KEY, v text);
INSERT INTO a SELECT i, repeat('x', 100) FROM generate_series(1, 5000) AS i;
CALL scan(5);
SELECT status FROM dbmaint_run_due('2026-01-01 02:00:00+00') WHERE collector = 'indexes';
SELECT at, idx_scan FROM counted WHERE at > '2026-01-01 01:30' ORDER BY at;

-- names that change places take no counters along
CREATE INDEX b ON a (v);
CALL scan(100);
SELECT count(*) FROM a WHERE v = 'y';
SELECT pg_stat_force_next_flush();
SELECT status FROM dbmaint_run_due('2026-01-01 02:30:00+00') WHERE collector = 'indexes';
ALTER INDEX b RENAME TO c;
ALTER INDEX a_pkey RENAME TO b;
CALL scan(4);
SELECT status FROM dbmaint_run_due('2026-01-01 03:00:00+00') WHERE collector = 'indexes';
SELECT h.indexname, h.idx_scan FROM dbmaint_index_history AS h WHERE h.taken_at = '2026-01-01 03:00+00' AND h.tablename = 'a' ORDER BY 1;
DROP TABLE a CASCADE;
DROP PROCEDURE scan;
DROP EXTENSION dbmaint CASCADE;
