#include "traffic.h"

#include "base/clock.h"
#include "retell/payload.h"
#include "retell/signature.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EVENTS_PER_CALL = 3,
    WINDOW = 200, /* calls under way at a time */
    OTHER_AGENTS = 40,
    PLAN_MEMORY = 16 * 1024 * 1024,
    TRIES_PER_CALL = 2000,
};

static const char *agent_of(size_t call, char name[32])
{
    bool busy = call % 10 < 3;
    (void)snprintf(name, 32, "agent_bench_%zu", busy ? 0 : 1 + call % OTHER_AGENTS);
    return name;
}

/* Could the call's events be of about that size? Tells without writing them: a word is said twice,
 * in two events of the three, in some 45 bytes. */
static bool may_fit(const struct call_plan *plan, size_t size)
{
    size_t words = 0;
    for (size_t i = 0; i < plan->dialogue.count; i++)
        words += plan->dialogue.utterances[i].word_count;
    size_t estimate = 500 + words * 45 * 4 / EVENTS_PER_CALL;
    return estimate > size / 2 && estimate < size * 2;
}

/* Writes the call's three events if it is a call that connects and has about that size. */
static bool write_call(const struct traffic_options *options, uint64_t index, size_t call,
                       struct buf bodies[EVENTS_PER_CALL])
{
    static const enum payload_event wanted[EVENTS_PER_CALL] = {
        PAYLOAD_CALL_STARTED, PAYLOAD_CALL_ENDED, PAYLOAD_CALL_ANALYZED};
    struct payload_step steps[PAYLOAD_MAX_STEPS];
    struct call_plan plan;
    char agent[32];
    size_t total = 0;
    const struct call_plan_options plan_options = {
        .seed = options->seed, .base_ms = clock_wall_ms(), .agent_id = agent_of(call, agent)};
    struct arena *arena = arena_new(PLAN_MEMORY);
    bool good = arena && call_plan_make(arena, &plan_options, index, &plan) == ERR_OK &&
                may_fit(&plan, options->size) &&
                payload_steps(&plan, PAYLOAD_CALL_ANALYZED, steps) == EVENTS_PER_CALL;

    for (size_t i = 0; i < EVENTS_PER_CALL && good; i++) {
        bodies[i].len = 0;
        good = steps[i].event == wanted[i];
        payload_write(&plan, &steps[i], &bodies[i]);
        total += bodies[i].len;
        good = good && !bodies[i].failed;
    }
    arena_free(arena);
    size_t mean = total / EVENTS_PER_CALL;
    return good && mean >= options->size - options->size / 5 &&
           mean <= options->size + options->size / 5;
}

static bool write_request(const struct traffic_options *options, struct traffic_event *event)
{
    char signature[SIGNATURE_SIZE];
    if (signature_sign(options->key, event->body.data, event->body.len, event->sent_ms, signature))
        return false;
    buf_printf(&event->request,
               "POST %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\n"
               "Content-Type: application/json\r\n" SIGNATURE_HEADER
               ": %s\r\nContent-Length: %zu\r\n\r\n",
               options->target, signature, event->body.len);
    buf_add(&event->request, event->body.data, event->body.len);
    return !event->request.failed;
}

/* Where the event `step` of call number `call` stands in the whole. */
static size_t place_of(size_t call, size_t step, size_t calls)
{
    size_t first = call / WINDOW * WINDOW;
    size_t width = calls - first < WINDOW ? calls - first : WINDOW;
    return first * EVENTS_PER_CALL + step * width + (call - first);
}

bool traffic_make(const struct traffic_options *options, struct traffic *traffic)
{
    uint64_t index = 0;
    *traffic = (struct traffic){0};
    traffic->events = calloc(options->calls * EVENTS_PER_CALL, sizeof *traffic->events);
    if (!traffic->events)
        return false;
    traffic->count = options->calls * EVENTS_PER_CALL;
    for (size_t call = 0; call < options->calls; call++) {
        struct buf bodies[EVENTS_PER_CALL] = {{0}};
        uint64_t last = index + TRIES_PER_CALL;
        while (index < last && !write_call(options, index, call, bodies))
            index++;
        bool good = index++ < last;
        for (size_t step = 0; step < EVENTS_PER_CALL; step++) {
            struct traffic_event *event = &traffic->events[place_of(call, step, options->calls)];
            event->body = bodies[step];
            event->sent_ms = clock_wall_ms();
            traffic->bytes += event->body.len;
            good = good && (!options->key || write_request(options, event));
        }
        if (!good)
            return false;
    }
    return true;
}

void traffic_free(struct traffic *traffic)
{
    for (size_t i = 0; i < traffic->count; i++) {
        buf_free(&traffic->events[i].body);
        buf_free(&traffic->events[i].request);
    }
    free(traffic->events);
}
