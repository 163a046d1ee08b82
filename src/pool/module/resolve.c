/*-------------------------------------------------------------------------
 *
 * resolve.c
 *		Looks up hosts' addresses without waiting.
 *
 * src/pool/module/resolve.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "resolve.h"

/* threads that were given up and wait for their name servers still */
#define MAX_THREADS 4

/* getaddrinfo() and what it loads need some room, but not the default's 8 MB */
#define STACK_BYTES (512 * 1024)

struct Resolver
{
	pthread_mutex_t lock;		/* guards the next two */
	bool		finished;
	bool		released;
	int			pipe[2];
	Resolution	resolution;
};

static pthread_mutex_t threads_lock = PTHREAD_MUTEX_INITIALIZER;
static int	threads = 0;

static void
free_resolver(Resolver *resolver)
{
	for (int i = 0; i < resolver->resolution.count; i++)
		free(resolver->resolution.hosts[i]);
	close(resolver->pipe[0]);
	close(resolver->pipe[1]);
	pthread_mutex_destroy(&resolver->lock);
	free(resolver);
}

static void
look_up(Resolution *resolution, int host)
{
	struct addrinfo hint = {0};
	struct addrinfo *found = NULL;
	int			error;

	hint.ai_family = AF_UNSPEC;
	hint.ai_socktype = SOCK_STREAM;
	error = getaddrinfo(resolution->hosts[host], NULL, &hint, &found);
	if (error != 0)
	{
		strlcpy(resolution->error, gai_strerror(error), sizeof(resolution->error));
		return;
	}
	for (struct addrinfo *a = found; a != NULL; a = a->ai_next)
	{
		int			n = resolution->found[host];

		if (n == RESOLVE_MAX_ADDRESSES)
			break;
		if (getnameinfo(a->ai_addr, a->ai_addrlen, resolution->addresses[host][n],
						RESOLVE_ADDRESS_LENGTH, NULL, 0, NI_NUMERICHOST) == 0)
			resolution->found[host]++;
	}
	freeaddrinfo(found);
}

static void *
resolve_in_thread(void *arg)
{
	Resolver   *resolver = arg;
	bool		released;

	for (int i = 0; i < resolver->resolution.count; i++)
		look_up(&resolver->resolution, i);

	pthread_mutex_lock(&threads_lock);
	threads--;
	pthread_mutex_unlock(&threads_lock);

	pthread_mutex_lock(&resolver->lock);
	resolver->finished = true;
	released = resolver->released;
	/* an empty pipe has room for a byte */
	if (!released && write(resolver->pipe[1], "", 1) < 0)
		resolver->finished = true;
	pthread_mutex_unlock(&resolver->lock);

	if (released)
		free_resolver(resolver);
	return NULL;
}

/* The server's signal handlers must not run in the thread. */
static bool
start_thread(Resolver *resolver)
{
	pthread_attr_t attributes;
	pthread_t	thread;
	sigset_t	all;
	sigset_t	before;
	bool		started;

	if (pthread_attr_init(&attributes) != 0)
		return false;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	started = pthread_create(&thread, &attributes, resolve_in_thread, resolver) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return started;
}

static bool
take_thread(void)
{
	bool		taken;

	pthread_mutex_lock(&threads_lock);
	taken = threads < MAX_THREADS;
	if (taken)
		threads++;
	pthread_mutex_unlock(&threads_lock);
	return taken;
}

static void
give_thread_back(void)
{
	pthread_mutex_lock(&threads_lock);
	threads--;
	pthread_mutex_unlock(&threads_lock);
}

Resolver *
resolver_start(char *const *hosts, int count)
{
	Resolver   *resolver = calloc(1, sizeof(Resolver));

	if (resolver == NULL)
		return NULL;
	if (pipe(resolver->pipe) != 0)
	{
		free(resolver);
		return NULL;
	}
	for (int end = 0; end < 2; end++)
	{
		(void) fcntl(resolver->pipe[end], F_SETFD, FD_CLOEXEC);
		(void) fcntl(resolver->pipe[end], F_SETFL, O_NONBLOCK);
	}
	pthread_mutex_init(&resolver->lock, NULL);
	for (int i = 0; i < count && i < RESOLVE_MAX_HOSTS; i++)
	{
		resolver->resolution.hosts[i] = strdup(hosts[i]);
		if (resolver->resolution.hosts[i] == NULL)
		{
			free_resolver(resolver);
			return NULL;
		}
		resolver->resolution.count++;
	}
	if (!take_thread())
	{
		free_resolver(resolver);
		return NULL;
	}
	if (!start_thread(resolver))
	{
		give_thread_back();
		free_resolver(resolver);
		return NULL;
	}
	return resolver;
}

int
resolver_descriptor(const Resolver *resolver)
{
	return resolver->pipe[0];
}

const Resolution *
resolver_result(Resolver *resolver)
{
	bool		finished;

	pthread_mutex_lock(&resolver->lock);
	finished = resolver->finished;
	pthread_mutex_unlock(&resolver->lock);
	return finished ? &resolver->resolution : NULL;
}

void
resolver_release(Resolver *resolver)
{
	bool		finished;

	pthread_mutex_lock(&resolver->lock);
	resolver->released = true;
	finished = resolver->finished;
	pthread_mutex_unlock(&resolver->lock);
	if (finished)
		free_resolver(resolver);
}
