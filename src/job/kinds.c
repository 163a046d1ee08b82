/*-------------------------------------------------------------------------
 *
 * kinds.c
 *		The kinds of jobs, and their options.
 *
 * src/job/kinds.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <limits.h>

#include "job/job.h"
#include "nodes/pg_list.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/numeric.h"

const JobKind job_kinds[] = {
	{
		.name = "vacuum",
		.rerun_safe = true,
		.top_level = true,
		.options = vacuum_options,
		.check = vacuum_check,
		.run = vacuum_run,
	},
	{
		.name = "analyze",
		.rerun_safe = true,
		.top_level = true,
		.options = analyze_options,
		.check = analyze_check,
		.run = analyze_run,
	},
	{
		.name = "reindex",
		.rerun_safe = true,
		.top_level = true,
		.options = reindex_options,
		.check = reindex_check,
		.journal = reindex_journal,
		.run = reindex_run,
		.clean = reindex_clean,
	},
	{
		.name = "partition_create",
		.rerun_safe = true,
		.top_level = true,
		.options = partition_options,
		.check = partition_check,
		.run = partition_create_run,
		.clean = partition_create_clean,
	},
	{
		.name = "partition_drop",
		.rerun_safe = true,
		.top_level = true,
		.options = partition_options,
		.check = partition_check,
		.run = partition_drop_run,
	},
	{
		.name = "partition_split",
		.rerun_safe = true,
		.top_level = true,
		.options = split_options,
		.check = split_check,
		.run = split_run,
		.clean = split_clean,
	},
	{
		.name = "partition_table",
		.rerun_safe = true,
		.top_level = true,
		.options = convert_options,
		.check = convert_job_check,
		.run = convert_run,
		.clean = convert_clean,
	},
};

const int	job_kind_count = lengthof(job_kinds);

static const JobOption common_options[] = {
	{"timeout", JOB_OPTION_TIME, 100, INT_MAX, NULL},
	{"attempts", JOB_OPTION_INT, 1, 100, NULL},
	{"retry_after", JOB_OPTION_TIME, 100, 24 * 60 * 60 * 1000, NULL},
	{NULL, JOB_OPTION_BOOL, 0, 0, NULL}
};

const JobKind *
job_kind_find(const char *name)
{
	for (int i = 0; i < job_kind_count; i++)
	{
		if (strcmp(job_kinds[i].name, name) == 0)
			return &job_kinds[i];
	}
	return NULL;
}

void
job_refuse_kind(const char *name)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < job_kind_count; i++)
		appendStringInfo(&names, "%s%s", i == 0 ? "" : ", ", job_kinds[i].name);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("there is no kind of job \"%s\"", name),
			 errhint("Kinds are: %s.", names.data)));
}

static const JobOption *
find_option(const JobOption *options, const char *name)
{
	for (; options->name != NULL; options++)
	{
		if (strcmp(options->name, name) == 0)
			return options;
	}
	return NULL;
}

static void
list_options(StringInfo names, const JobOption *options)
{
	for (; options->name != NULL; options++)
		appendStringInfo(names, "%s%s", names->len == 0 ? "" : ", ",
						 options->name);
}

/* The value of a number that is a whole one of 32 bits; false if it is not. */
static bool
numeric_to_int(Numeric number, int *result)
{
	char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out,
														   NumericGetDatum(number)));
	char	   *end;
	long		value;

	errno = 0;
	value = strtol(text, &end, 10);
	*result = (int) value;
	return errno == 0 && end != text && *end == '\0' && value == *result;
}

static bool
has_choice(const JobOption *option, const JsonbValue *value)
{
	for (const char *const *choice = option->choices; *choice != NULL; choice++)
	{
		if (strlen(*choice) == (size_t) value->val.string.len &&
			memcmp(*choice, value->val.string.val, value->val.string.len) == 0)
			return true;
	}
	return false;
}

static bool
all_names(const JsonbValue *value)
{
	JsonbContainer *array = value->val.binary.data;

	if (value->type != jbvBinary || !JsonContainerIsArray(array) ||
		JsonContainerSize(array) == 0)
		return false;
	for (uint32 i = 0; i < JsonContainerSize(array); i++)
	{
		JsonbValue *element = getIthJsonbValueFromContainer(array, i);

		if (element->type != jbvString || element->val.string.len == 0)
			return false;
	}
	return true;
}

static bool
read_time(const JsonbValue *value, int *result)
{
	return value->type == jbvString &&
		parse_int(pnstrdup(value->val.string.val, value->val.string.len),
				  result, GUC_UNIT_MS, NULL);
}

static bool
value_valid(const JobOption *option, const JsonbValue *value)
{
	int			number = 0;

	switch (option->type)
	{
		case JOB_OPTION_BOOL:
			return value->type == jbvBool;
		case JOB_OPTION_INT:
			return value->type == jbvNumeric &&
				numeric_to_int(value->val.numeric, &number) &&
				number >= option->min && number <= option->max;
		case JOB_OPTION_TIME:
			return read_time(value, &number) &&
				number >= option->min && number <= option->max;
		case JOB_OPTION_CHOICE:
			return value->type == jbvString && has_choice(option, value);
		case JOB_OPTION_NAMES:
			return all_names(value);
		case JOB_OPTION_TEXT:
			return value->type == jbvString && value->val.string.len > 0;
	}
	return false;
}

/* What the option wants, in words. */
static const char *
describe_option(const JobOption *option)
{
	StringInfoData text;

	initStringInfo(&text);
	switch (option->type)
	{
		case JOB_OPTION_BOOL:
			return "true or false";
		case JOB_OPTION_INT:
			return psprintf("a whole number from %d to %d", option->min,
							option->max);
		case JOB_OPTION_TIME:
			return psprintf("a time as text, such as \"10min\" or \"30s\", of %d ms to %d ms",
							option->min, option->max);
		case JOB_OPTION_CHOICE:
			for (const char *const *choice = option->choices; *choice != NULL; choice++)
				appendStringInfo(&text, "%s\"%s\"", text.len == 0 ? "" : ", ",
								 *choice);
			return psprintf("one of %s", text.data);
		case JOB_OPTION_NAMES:
			return "an array of names";
		case JOB_OPTION_TEXT:
			return "a text that is not empty";
	}
	return "";
}

static void
check_option(const Job *job, const char *name, const JsonbValue *value)
{
	const JobOption *option = find_option(common_options, name);
	StringInfoData names;

	if (option == NULL)
		option = find_option(job->kind->options, name);
	if (option != NULL && value_valid(option, value))
		return;
	if (option != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value of option \"%s\"", name),
				 errdetail("The option is %s.", describe_option(option))));

	initStringInfo(&names);
	list_options(&names, job->kind->options);
	list_options(&names, common_options);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("jobs of kind \"%s\" have no option \"%s\"",
					job->kind->name, name),
			 errhint("Options are: %s.", names.data)));
}

void
job_check_options(const Job *job)
{
	JsonbIterator *iterator;
	JsonbValue	key;
	JsonbValue	value;

	if (!JB_ROOT_IS_OBJECT(job->options))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("options of a job must be a JSON object"),
				 errhint("For example: '{\"timeout\": \"1h\"}'.")));

	iterator = JsonbIteratorInit(&job->options->root);
	(void) JsonbIteratorNext(&iterator, &key, false);
	while (JsonbIteratorNext(&iterator, &key, false) == WJB_KEY)
	{
		(void) JsonbIteratorNext(&iterator, &value, true);
		check_option(job, pnstrdup(key.val.string.val, key.val.string.len),
					 &value);
	}
}

/* Returns whether the option is given; they were checked before. */
static bool
option_given(const Job *job, const char *name, JsonbValue *value)
{
	return getKeyJsonValueFromContainer(&job->options->root, name,
										(int) strlen(name), value) != NULL;
}

bool
job_option_bool(const Job *job, const char *name, bool otherwise)
{
	JsonbValue	value;

	return option_given(job, name, &value) ? value.val.boolean : otherwise;
}

int
job_option_int(const Job *job, const char *name, int otherwise)
{
	JsonbValue	value;
	int			number = otherwise;

	if (option_given(job, name, &value))
		(void) numeric_to_int(value.val.numeric, &number);
	return number;
}

int
job_option_time_ms(const Job *job, const char *name, int otherwise)
{
	JsonbValue	value;
	int			number = otherwise;

	if (option_given(job, name, &value))
		(void) read_time(&value, &number);
	return number;
}

char *
job_option_text(const Job *job, const char *name)
{
	JsonbValue	value;

	if (!option_given(job, name, &value))
		return NULL;
	return pnstrdup(value.val.string.val, value.val.string.len);
}

List *
job_option_names(const Job *job, const char *name)
{
	JsonbValue	value;
	List	   *names = NIL;

	if (!option_given(job, name, &value))
		return NIL;
	for (uint32 i = 0; i < JsonContainerSize(value.val.binary.data); i++)
	{
		JsonbValue *element = getIthJsonbValueFromContainer(value.val.binary.data, i);

		names = lappend(names, pnstrdup(element->val.string.val,
										element->val.string.len));
	}
	return names;
}
