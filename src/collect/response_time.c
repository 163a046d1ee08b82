/*-------------------------------------------------------------------------
 *
 * response_time.c
 *		Collector "response_time": the interval's histogram, and what it says.
 *
 * src/collect/response_time.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "collect/collect.h"
#include "settings.h"

/* The statements counted since the previous sample, bucket by bucket. */
static void
subtract(const LatencyTotals *now, const LatencyTotals *before,
		 uint64 *counts)
{
	for (int b = 0; b < HISTOGRAM_BUCKETS; b++)
		counts[b] = (uint32) (now->buckets[b] - before->buckets[b]);
}

static void
record_percentiles(Readings *readings, const uint64 *counts, uint64 max_us)
{
	double		p99 = histogram_percentile_ms(counts, false, 0.99);
	double		highest = histogram_percentile_ms(counts, false, 1.0);
	double		max_ms = max_us / 1000.0;

	reading_set(readings, METRIC_p50_ms, histogram_percentile_ms(counts, false, 0.50));
	reading_set(readings, METRIC_p95_ms, histogram_percentile_ms(counts, false, 0.95));
	reading_set(readings, METRIC_p99_ms, p99);

	/*
	 * The maximum is taken apart from the buckets: a statement that ended in
	 * between, or a sample whose writing failed, leaves it behind them.
	 */
	if (max_us < histogram_lower_bound(histogram_bucket((uint64) (highest * 1000))))
		max_ms = highest;
	reading_set(readings, METRIC_max_ms, max_ms);
}

void
collect_response_time(Collection *collection)
{
	const SampleMemory *before = collection->before;
	LatencyTotals *now = &collection->now->latency;
	Readings   *readings = &collection->readings;
	uint64	   *counts;
	uint64		total;
	uint64		max_us;

	latency_read(MyDatabaseId, now);
	max_us = latency_take_max(MyDatabaseId);

	/* what was counted before the first sample belongs to no interval */
	if (before->at == 0)
		return;

	counts = palloc_array(uint64, HISTOGRAM_BUCKETS);
	subtract(now, &before->latency, counts);
	total = histogram_total(counts);

	reading_set(readings, METRIC_query_count, (double) total);
	reading_set(readings, METRIC_failed_query_count,
				(double) (now->failed - before->latency.failed));
	reading_set(readings, METRIC_slow_query_count,
				(double) histogram_count_above(counts, false,
											   setting_slow_query_threshold_ms));
	if (total > 0)
	{
		reading_set(readings, METRIC_response_time_ms,
					(now->total_us - before->latency.total_us) / 1000.0 / total);
		record_percentiles(readings, counts, max_us);
		collection->histogram = histogram_pack(counts, false);
	}
	pfree(counts);
}
