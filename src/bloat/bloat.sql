/*
 * src/bloat/bloat.sql: how full tables and indexes are, from a sample.
 *
 * What a page holds is not for everybody: as pgstattuple does since its
 * version 1.5, these are for members of pg_stat_scan_tables, of which
 * pg_monitor is one, and ask for no right on the relation itself.
 */

CREATE FUNCTION dbmaint_table_bloat(
    relation regclass, sample_pages int DEFAULT 1000, seed bigint DEFAULT NULL,
    OUT table_bytes bigint, OUT sampled_pages bigint,
    OUT live_ratio float8, OUT dead_ratio float8, OUT free_ratio float8,
    OUT free_ratio_low float8, OUT free_ratio_high float8, OUT bloat_bytes bigint)
RETURNS record
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dbmaint_table_bloat';
COMMENT ON FUNCTION dbmaint_table_bloat(regclass, int, bigint) IS
'What the pages of a table, materialized view or TOAST table are filled with, estimated from sample_pages of them (1 to 1000000), one at random out of each of as many equal runs. The ratios are shares of table_bytes, as in pgstattuple: live_ratio of the bytes of live rows, dead_ratio of dead ones, free_ratio of free space; the rest are page headers, line pointers and padding. As in pgstattuple_approx a row being deleted is live, one being inserted or deleted but still visible to somebody is dead. free_ratio_low and free_ratio_high hold the true free_ratio in 95 % of samples. bloat_bytes is what the table would be smaller by when written anew, as wasted_bytes of dbmaint_bloat(): room that its fillfactor leaves, or that no row of its widths fits in, is none. A table of at most sample_pages pages is read whole and exactly; in others, three quarters of the pages that the visibility map calls all-visible are not read but taken from the free space map, as corrected by the fourth quarter, unless that shows the map to be wrong. sampled_pages counts both. A seed chooses the same pages again; NULL chooses others each time. Ratios are NULL for a table without a page, all is NULL for a NULL relation. Takes AccessShareLock and waits for it as lock_timeout says.';

CREATE FUNCTION dbmaint_index_bloat(
    relation regclass, sample_pages int DEFAULT 1000, seed bigint DEFAULT NULL,
    OUT index_bytes bigint, OUT sampled_pages bigint,
    OUT leaf_density_ratio float8, OUT leaf_density_low float8, OUT leaf_density_high float8,
    OUT empty_pages bigint, OUT deleted_pages bigint, OUT bloat_bytes bigint)
RETURNS record
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dbmaint_index_bloat';
COMMENT ON FUNCTION dbmaint_index_bloat(regclass, int, bigint) IS
'How full a B-tree index is, estimated from sample_pages of its pages (1 to 1000000), one at random out of each of as many equal runs. leaf_density_ratio is the share of the leaf pages'' room that holds entries, as avg_leaf_density / 100 of pgstatindex; leaf_density_low and leaf_density_high hold the true one in 95 % of samples. empty_pages are half-dead or never used, deleted_pages wait to be used again. bloat_bytes is what the index would be smaller by when built anew: 8192 * floor(deleted_pages + empty_pages + leaf_pages * (1 - leaf_density_ratio / fillfactor)), and not below 0, where 8192 stands for the page size and fillfactor is the index''s own (90 % unless set); what deduplication would gain is not in it. An index of at most sample_pages pages without its meta page is read whole and exactly. A seed chooses the same pages again; NULL chooses others each time. The densities are NULL where no leaf was met, all is NULL for a NULL relation. Takes AccessShareLock on the index and waits for it as lock_timeout says.';

CREATE FUNCTION dbmaint_bloat(
    min_size_bytes bigint DEFAULT 10485760, page_budget int DEFAULT 20000,
    OUT relation regclass, OUT kind text, OUT of_table regclass,
    OUT size_bytes bigint, OUT sampled_pages bigint,
    OUT wasted_bytes bigint, OUT wasted_bytes_low bigint, OUT wasted_bytes_high bigint,
    OUT wasted_ratio float8, OUT status text)
RETURNS SETOF record
LANGUAGE C VOLATILE CALLED ON NULL INPUT
AS 'MODULE_PATHNAME', 'dbmaint_bloat';
COMMENT ON FUNCTION dbmaint_bloat(bigint, int) IS
'What bloat wastes in this database: a row for each table, materialized view, TOAST table and B-tree index, the catalogs included, whose file has at least min_size_bytes, the most wasted first. kind is table, materialized view, toast or index; of_table is the table of an index or a TOAST table. wasted_bytes is what the relation would be smaller by when written anew: of an index the bloat_bytes of dbmaint_index_bloat(); of a table its size without the pages that its rows, live or being inserted, would fill if they were written in their order, with the table''s fillfactor; so what is left free where the next row does not fit is not wasted. wasted_bytes_low and wasted_bytes_high are the ends of its interval of 95 %; wasted_ratio is its share of size_bytes. At most page_budget pages are read: each relation gets them in proportion to the square root of its size, and no fewer than 30. status is ok; or locked: somebody holds it, and this function never waits; or over budget: the pages were used up by larger ones; or the error that reading it gave. In these cases what is wasted is NULL and the row comes last. Relations of other access methods and temporary ones are left out.';

REVOKE ALL ON FUNCTION dbmaint_table_bloat(regclass, int, bigint),
    dbmaint_index_bloat(regclass, int, bigint), dbmaint_bloat(bigint, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_table_bloat(regclass, int, bigint),
    dbmaint_index_bloat(regclass, int, bigint), dbmaint_bloat(bigint, int) TO pg_stat_scan_tables;
