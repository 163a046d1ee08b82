-- What drop_old_partitions() retires, and what it never does.
SET client_min_messages = warning;
CREATE EXTENSION dbmaint;
RESET client_min_messages;
\set SHOW_CONTEXT never

-- the runbook's call, as it stands
CREATE TABLE transactions_partitioned (id bigint, at timestamptz NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
SELECT count(*) FROM create_future_partitions('transactions_partitioned', 30, '1 month', as_of => now() - interval '20 months');
SELECT count(*) BETWEEN 7 AND 8 AS dropped FROM drop_old_partitions('transactions_partitioned', 12);
SELECT count(*) FROM drop_old_partitions('transactions_partitioned', 12);
-- the present and what comes after stay, however short the keep
SELECT count(*) > 10 AS dropped FROM drop_old_partitions('transactions_partitioned', interval '1 second');
SELECT count(*) FILTER (WHERE status = 'exists') > 9 AS ahead FROM create_future_partitions('transactions_partitioned', 10);

CREATE TABLE m (at timestamptz NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE m_before PARTITION OF m FOR VALUES FROM (MINVALUE) TO ('2025-01-01 00:00+00');
SELECT count(*) FROM create_future_partitions('m', 7, '1 month', as_of => '2025-01-15 00:00+00');
CREATE TABLE m_default PARTITION OF m DEFAULT;
-- exactly as old as asked for is old; a second less is not
SELECT partition_name, range_from, range_to, size_bytes, status FROM drop_old_partitions('m', 2, dry_run => true, as_of => '2025-03-31 23:59:59+00');
SELECT partition_name, range_from, range_to, size_bytes, status FROM drop_old_partitions('m', 2, dry_run => true, as_of => '2025-04-01 00:00+00');
SELECT partition_name, status FROM drop_old_partitions('m', interval '61 days', as_of => '2025-03-04 00:00+00');
-- detached, moved
SELECT partition_name, status FROM drop_old_partitions('m', 2, detach_only => true, as_of => '2025-04-01 00:00+00');
SELECT relname, relispartition FROM pg_class WHERE relname = 'm_2025_01';
CREATE SCHEMA attic;
SELECT partition_name, status FROM drop_old_partitions('m', 2, move_to_schema => 'attic', as_of => '2025-05-01 00:00+00');
SELECT oid::regclass, relispartition FROM pg_class WHERE relname = 'm_2025_02';
-- a name that the archive has: nothing is done
CREATE TABLE attic.m_2025_03 (i int);
\set VERBOSITY sqlstate
SELECT partition_name, status FROM drop_old_partitions('m', 2, move_to_schema => 'attic', as_of => '2025-06-01 00:00+00');
\set VERBOSITY default
SELECT relname, relispartition FROM pg_class WHERE oid = 'm_2025_03'::regclass;
-- never the last one
CREATE TABLE one (at date) PARTITION BY RANGE (at);
CREATE TABLE one_2001_01 PARTITION OF one FOR VALUES FROM ('2001-01-01') TO ('2001-02-01');
SELECT * FROM drop_old_partitions('one', 1);
CREATE TABLE one_2001_02 PARTITION OF one FOR VALUES FROM ('2001-02-01') TO ('2001-03-01');
CREATE TABLE one_default PARTITION OF one DEFAULT;
SELECT * FROM drop_old_partitions('one', 1);
SELECT * FROM drop_old_partitions('one', 1);
-- nor one without an end
CREATE TABLE endless (at date) PARTITION BY RANGE (at);
CREATE TABLE endless_1 PARTITION OF endless FOR VALUES FROM ('2001-01-01') TO (MAXVALUE);
CREATE TABLE endless_0 PARTITION OF endless FOR VALUES FROM (MINVALUE) TO ('-infinity');
SELECT * FROM drop_old_partitions('endless', 1);

-- plain numbers: behind the greatest in use
CREATE TABLE numbers (id bigint) PARTITION BY RANGE (id);
SELECT count(*) FROM create_future_partitions('numbers', 9, '100');
SELECT * FROM drop_old_partitions('numbers', keep_values => 100);
INSERT INTO numbers VALUES (555);
SELECT * FROM drop_old_partitions('numbers', keep_values => 355, dry_run => true);
SELECT * FROM drop_old_partitions('numbers', keep_values => 356);
SELECT * FROM drop_old_partitions('numbers', 12);
-- a keep wider than all numbers
SELECT * FROM drop_old_partitions('numbers', keep_values => 9223372036854775807);

-- foreign keys: rows that are referred to stay, and so does the constraint
CREATE TABLE orders (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
SELECT count(*) FROM create_future_partitions('orders', 3, '1 month', as_of => '2025-01-15 00:00+00');
CREATE TABLE items (order_id int, order_at date, CONSTRAINT items_order FOREIGN KEY (order_id, order_at) REFERENCES orders);
INSERT INTO orders VALUES (1, '2025-01-05'), (2, '2025-02-05');
INSERT INTO items VALUES (2, '2025-02-05');
SELECT partition_name, status FROM drop_old_partitions('orders', 1, as_of => '2025-03-15 00:00+00');
-- the constraint's name in the message is the server's, and another one from 18 on
\set VERBOSITY sqlstate
SELECT * FROM drop_old_partitions('orders', 1, as_of => '2025-05-15 00:00+00');
\set VERBOSITY default
SELECT count(*) FROM pg_inherits WHERE inhparent = 'orders'::regclass;
-- a key that points at one partition
CREATE TABLE directly (order_id int, order_at date, CONSTRAINT directly_order FOREIGN KEY (order_id, order_at) REFERENCES orders_2025_02);
DELETE FROM items;
SELECT * FROM drop_old_partitions('orders', 1, as_of => '2025-05-15 00:00+00');
SELECT partition_name, status FROM drop_old_partitions('orders', 1, detach_only => true, as_of => '2025-05-15 00:00+00');
SELECT conname FROM pg_constraint WHERE conrelid = 'directly'::regclass;
-- a view on a partition
CREATE TABLE seen (at date) PARTITION BY RANGE (at);
SELECT count(*) FROM create_future_partitions('seen', 3, '1 month', as_of => '2025-01-15 00:00+00');
CREATE VIEW seen_view AS SELECT * FROM seen_2025_01;
SELECT * FROM drop_old_partitions('seen', 1, as_of => '2025-05-15 00:00+00');
SELECT count(*) FROM pg_inherits WHERE inhparent = 'seen'::regclass;

-- sub-partitioned and foreign partitions go whole
CREATE TABLE mixed (at date, i int) PARTITION BY RANGE (at);
CREATE TABLE mixed_2025_01 PARTITION OF mixed FOR VALUES FROM ('2025-01-01') TO ('2025-02-01') PARTITION BY LIST (i);
CREATE TABLE mixed_2025_01_1 PARTITION OF mixed_2025_01 FOR VALUES IN (1);
INSERT INTO mixed VALUES ('2025-01-05', 1);
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE mixed_2025_02 PARTITION OF mixed FOR VALUES FROM ('2025-02-01') TO ('2025-03-01') SERVER nowhere;
CREATE TABLE mixed_2025_03 PARTITION OF mixed FOR VALUES FROM ('2025-03-01') TO ('2025-04-01');
SELECT partition_name, size_bytes, status FROM drop_old_partitions('mixed', 1, as_of => '2025-05-15 00:00+00');
SELECT relname FROM pg_class WHERE relname LIKE 'mixed%' ORDER BY 1;

-- months are those of the set's time zone
CREATE TABLE berlin (at timestamptz) PARTITION BY RANGE (at);
SELECT count(*) FROM create_future_partitions('berlin', 3, '1 month', time_zone => 'Europe/Berlin', as_of => '2025-01-15 00:00+00');
SET timezone = 'America/Los_Angeles';
SELECT * FROM drop_old_partitions('berlin', 1, dry_run => true, as_of => '2025-02-28 22:59:59+00');
SELECT * FROM drop_old_partitions('berlin', 1, dry_run => true, as_of => '2025-02-28 23:00:00+00');
RESET timezone;
