-- What create_future_partitions() makes: each kind of key, each option, each
-- period, and that a second run makes nothing.
SET client_min_messages = warning;
CREATE EXTENSION dbmaint;
RESET client_min_messages;

-- the runbook's call, as it stands
CREATE TABLE transactions_partitioned (id bigint, at timestamptz NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE transactions_y2026m01 PARTITION OF transactions_partitioned
    FOR VALUES FROM (date_trunc('month', now(), 'UTC')) TO (date_trunc('month', now(), 'UTC') + interval '1 month');
SELECT count(*), count(*) FILTER (WHERE status = 'exists') AS exists, count(*) FILTER (WHERE status = 'created') AS created
  FROM create_future_partitions('transactions_partitioned', 3);
SELECT count(*), count(*) FILTER (WHERE status = 'exists') AS exists FROM create_future_partitions('transactions_partitioned', 3);

-- the first partition needs a period; the others continue it, names and all
CREATE TABLE months (at timestamptz NOT NULL, v text) PARTITION BY RANGE (at);
SELECT * FROM create_future_partitions('months', 2, as_of => '2026-01-31 23:00+00');
SELECT * FROM create_future_partitions('months', 2, period => '1 month', as_of => '2026-01-31 23:00+00');
SELECT * FROM create_future_partitions('months', 2, as_of => '2026-02-28 12:00+00');
SELECT * FROM create_future_partitions('months', 2, as_of => '2026-02-28 12:00+00');
-- zero: the present alone
SELECT * FROM create_future_partitions('months', 0, as_of => '2026-05-01 00:00+00');
-- a dry run makes nothing
SELECT * FROM create_future_partitions('months', 1, dry_run => true, as_of => '2026-05-01 00:00+00');
SELECT count(*) FROM pg_inherits WHERE inhparent = 'months'::regclass;
-- gaps: one row each, or what fills them
SELECT * FROM create_future_partitions('months', 0, as_of => '2026-08-15 00:00+00');
SELECT * FROM create_future_partitions('months', 0, as_of => '2026-11-15 00:00+00');
SELECT * FROM create_future_partitions('months', 0, fill_gaps => true, as_of => '2026-11-15 00:00+00');

-- each kind of key, each kind of period
CREATE TABLE local_time (at timestamp) PARTITION BY RANGE (at);
SELECT * FROM create_future_partitions('local_time', 1, '6 hours', as_of => '2026-03-29 01:30+00', time_zone => 'Europe/Berlin');
CREATE TABLE dates (on_day date) PARTITION BY RANGE (on_day);
SELECT * FROM create_future_partitions('dates', 2, '1 week', as_of => '2026-12-29 00:00+00');
SELECT * FROM create_future_partitions('dates', 3, as_of => '2026-12-29 00:00+00');
CREATE TABLE quarters (on_day date) PARTITION BY RANGE (on_day);
SELECT * FROM create_future_partitions('quarters', 1, '3 months', as_of => '2026-12-29 00:00+00');
CREATE TABLE years (at timestamptz) PARTITION BY RANGE (at);
SELECT * FROM create_future_partitions('years', 1, '1 year', as_of => '2027-12-29 00:00+00');
CREATE TABLE numbers (id bigint) PARTITION BY RANGE (id);
SELECT * FROM create_future_partitions('numbers', 1, '1000');
INSERT INTO numbers VALUES (1999);
SELECT * FROM create_future_partitions('numbers', 2);
CREATE TABLE small_numbers (id smallint) PARTITION BY RANGE (id);
SELECT * FROM create_future_partitions('small_numbers', 3, '10000');
SELECT count(*) FROM create_future_partitions('small_numbers', 3);
INSERT INTO small_numbers VALUES (29999);
SELECT * FROM create_future_partitions('small_numbers', 2);
CREATE TABLE seconds (at bigint) PARTITION BY RANGE (at);
SELECT * FROM create_future_partitions('seconds', 1, '1 day', epoch => 'seconds', as_of => '2026-06-01 12:00+00');
SELECT * FROM create_future_partitions('seconds', 2, as_of => '2026-06-01 12:00+00');
CREATE TABLE milliseconds (at bigint) PARTITION BY RANGE (at);
CREATE TABLE milliseconds_2026_06_01 PARTITION OF milliseconds FOR VALUES FROM (1780272000000) TO (1780358400000);
SELECT * FROM create_future_partitions('milliseconds', 1, as_of => '2026-06-01 12:00+00');
CREATE TABLE uuids (id uuid) PARTITION BY RANGE (id);
SELECT * FROM create_future_partitions('uuids', 1, '1 month', as_of => '2026-06-01 12:00+00');
SELECT * FROM create_future_partitions('uuids', 2, as_of => '2026-06-01 12:00+00');
CREATE TABLE uuids_tail (id uuid) PARTITION BY RANGE (id);
CREATE TABLE uuids_tail_202606 PARTITION OF uuids_tail
    FOR VALUES FROM ('019e807a-ec00-7000-8000-000000000000') TO ('019f1af9-b400-7000-8000-000000000000');
SELECT * FROM create_future_partitions('uuids_tail', 1, as_of => '2026-06-10 12:00+00');
-- several columns: the first one counts
CREATE TABLE two_columns (at date, region int) PARTITION BY RANGE (at, region);
SELECT * FROM create_future_partitions('two_columns', 1, '1 month', as_of => '2026-06-01 12:00+00');
SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = 'two_columns_2026_07';
-- a domain
CREATE DOMAIN moment AS timestamptz;
CREATE TABLE of_domain (at moment) PARTITION BY RANGE (at);
SELECT * FROM create_future_partitions('of_domain', 0, '1 month', as_of => '2026-06-01 12:00+00');

-- what has no end is not continued, what has no beginning may be
CREATE TABLE endless (at date) PARTITION BY RANGE (at);
CREATE TABLE endless_before PARTITION OF endless FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
CREATE TABLE endless_2026_01 PARTITION OF endless FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
SELECT * FROM create_future_partitions('endless', 1, as_of => '2026-01-05 12:00+00');
SELECT * FROM create_future_partitions('endless', 0, as_of => '2025-01-05 12:00+00');
CREATE TABLE endless_after PARTITION OF endless FOR VALUES FROM ('2026-03-01') TO (MAXVALUE);
SELECT * FROM create_future_partitions('endless', 5, as_of => '2026-01-05 12:00+00');
CREATE TABLE infinite (at timestamptz) PARTITION BY RANGE (at);
CREATE TABLE infinite_2026_01 PARTITION OF infinite FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE infinite_after PARTITION OF infinite FOR VALUES FROM ('2026-04-01') TO ('infinity');
SELECT * FROM create_future_partitions('infinite', 5, as_of => '2026-01-05 12:00+00');

-- a gap between ranges is filled to the next one, off the grid or not
CREATE TABLE odd (at date) PARTITION BY RANGE (at);
CREATE TABLE odd_2026_01 PARTITION OF odd FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE odd_2026_02 PARTITION OF odd FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
SELECT * FROM create_future_partitions('odd', 1, as_of => '2026-02-05 12:00+00');
DROP TABLE odd_2026_02;
CREATE TABLE odd_half PARTITION OF odd FOR VALUES FROM ('2026-02-10') TO ('2026-03-01');
SELECT * FROM create_future_partitions('odd', 1, '1 month', as_of => '2026-02-05 12:00+00');

-- names that say where a range ends go on so; what is no date of the range does not
CREATE TABLE ends (at date) PARTITION BY RANGE (at);
CREATE TABLE ends_20261101 PARTITION OF ends FOR VALUES FROM ('2026-10-01') TO ('2026-11-01');
CREATE TABLE ends_20261201 PARTITION OF ends FOR VALUES FROM ('2026-11-01') TO ('2026-12-01');
SELECT * FROM create_future_partitions('ends', 2, as_of => '2026-11-15 00:00+00');
CREATE TABLE fiscal (at date) PARTITION BY RANGE (at);
CREATE TABLE fiscal_fy27q2 PARTITION OF fiscal FOR VALUES FROM ('2026-07-01') TO ('2026-10-01');
CREATE TABLE fiscal_fy27q3 PARTITION OF fiscal FOR VALUES FROM ('2026-10-01') TO ('2027-01-01');
SELECT * FROM create_future_partitions('fiscal', 1, as_of => '2026-11-15 00:00+00');
-- names: quotes, 63 bytes, characters of several bytes, collisions
CREATE TABLE "we""ird ; name" (at date) PARTITION BY RANGE (at);
SELECT * FROM create_future_partitions('"we""ird ; name"', 1, '1 month', as_of => '2026-02-05 12:00+00');
CREATE TABLE "éééééééééééééééééééééééééééééé1" (at date) PARTITION BY RANGE (at);
SELECT *, octet_length(partition_name) FROM create_future_partitions('"éééééééééééééééééééééééééééééé1"', 2, '1 month', as_of => '2026-02-05 12:00+00');
SELECT partition_name, status FROM create_future_partitions('"éééééééééééééééééééééééééééééé1"', 3, as_of => '2026-02-05 12:00+00');
CREATE TABLE taken (at date) PARTITION BY RANGE (at);
CREATE TABLE taken_2026_03 (i int);
CREATE TYPE taken_2026_04 AS ENUM ('a');
SELECT partition_name, range_from, status FROM create_future_partitions('taken', 2, '1 month', as_of => '2026-02-05 12:00+00');

-- the clocks change, and sessions have time zones of their own
CREATE TABLE days (at timestamptz) PARTITION BY RANGE (at);
SET timezone = 'Asia/Tokyo';
SELECT * FROM create_future_partitions('days', 3, '1 day', time_zone => 'America/New_York', as_of => '2026-03-07 12:00+00');
SET timezone = 'America/Sao_Paulo';
SET datestyle = 'SQL, DMY';
SELECT * FROM create_future_partitions('days', 5, as_of => '2026-03-07 12:00+00') OFFSET 3;
RESET datestyle;
RESET timezone;
SELECT * FROM dbmaint_partition_sets WHERE parent = 'days'::regclass;
-- without a record the bounds tell
DELETE FROM dbmaint_partition_sets;
SELECT * FROM create_future_partitions('days', 6, as_of => '2026-03-07 12:00+00');
SELECT * FROM create_future_partitions('days', 6, time_zone => 'America/New_York', as_of => '2026-03-07 12:00+00') OFFSET 6;
-- hours: elapsed ones, in any zone
CREATE TABLE hours (at timestamptz) PARTITION BY RANGE (at);
SELECT * FROM create_future_partitions('hours', 3, '1 hour', time_zone => 'Europe/Berlin', as_of => '2026-10-24 23:30+00');
-- the least number is no bound, since nothing lies below it: no period is told by such a range alone, as by one from MINVALUE
CREATE TABLE least (id bigint) PARTITION BY RANGE (id);
CREATE TABLE least_0 PARTITION OF least FOR VALUES FROM (-9223372036854775808) TO (0);
SELECT * FROM create_future_partitions('least', 1);
SELECT * FROM create_future_partitions('least', 1, period => '1000');
SELECT * FROM create_future_partitions('least', 2);
