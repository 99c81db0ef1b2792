#include "api/routes.h"

#include "api/handlers.h"

#include <stdio.h>

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* The largest JSON body: a key that names 500 agents. */
#define JSON .json_body = true, .max_body = 64 << 10

static const struct route main_routes[] = {
    {METHOD_GET, "/api/auth/keys", ACCESS_ADMIN, .handler = keys_list},
    {METHOD_POST, "/api/auth/keys", ACCESS_ADMIN, JSON, .handler = key_add},
    {METHOD_DELETE, "/api/auth/keys/:id", ACCESS_ADMIN, .handler = key_remove},
    {METHOD_POST, "/api/auth/login", ACCESS_PUBLIC, JSON, .handler = session_login},
    {METHOD_POST, "/api/auth/logout-all", ACCESS_PERSON, JSON, .handler = session_logout_all},
    {METHOD_GET, "/api/auth/me", ACCESS_PERSON, .handler = session_me},
    {METHOD_POST, "/api/auth/password", ACCESS_PERSON, JSON, .handler = session_password},
    {METHOD_POST, "/api/auth/register", ACCESS_PUBLIC, JSON, .handler = session_register},
    {METHOD_GET, "/api/dashboard/agent-info/:agentId", ACCESS_READER, .handler = agent_info},
    {METHOD_GET, "/api/dashboard/agent-summary/:agentId", ACCESS_READER, .handler = agent_summary},
    {METHOD_GET, "/api/dashboard/agents", ACCESS_READER, .handler = agents_list},
    {METHOD_POST, "/api/dashboard/agents", ACCESS_ADMIN, JSON, .handler = agent_add},
    {METHOD_PUT, "/api/dashboard/agents/:agentId", ACCESS_ADMIN, JSON, .handler = agent_change},
    {METHOD_DELETE, "/api/dashboard/agents/:agentId", ACCESS_ADMIN, .handler = agent_deactivate},
    {METHOD_GET, "/api/dashboard/agents/:agentId/users", ACCESS_ADMIN, .handler = agent_users},
    {METHOD_GET, "/api/dashboard/analytics/agents", ACCESS_READER, .handler = analytics_agents},
    {METHOD_GET, "/api/dashboard/analytics/calls", ACCESS_READER, .handler = analytics_calls},
    {METHOD_GET, "/api/dashboard/analytics/overview", ACCESS_READER, .handler = analytics_overview},
    {METHOD_GET, "/api/dashboard/analytics/sentiment", ACCESS_READER,
     .handler = analytics_sentiment},
    {METHOD_POST, "/api/dashboard/assignments", ACCESS_ADMIN, JSON, .handler = assignment_add},
    {METHOD_DELETE, "/api/dashboard/assignments", ACCESS_ADMIN, JSON, .handler = assignment_remove},
    {METHOD_GET, "/api/dashboard/call-history", ACCESS_READER, .handler = calls_list},
    {METHOD_GET, "/api/dashboard/call-history/:agentId", ACCESS_READER, .handler = call_history},
    {METHOD_GET, "/api/dashboard/calls", ACCESS_READER, .handler = calls_list},
    {METHOD_GET, "/api/dashboard/calls/:callId", ACCESS_READER, .handler = call_detail},
    {METHOD_GET, "/api/dashboard/overview", ACCESS_READER, .handler = overview},
    {METHOD_GET, "/api/dashboard/search/agents", ACCESS_READER, .handler = agents_search},
    {METHOD_GET, "/api/dashboard/search/calls", ACCESS_READER, .handler = calls_search},
    {METHOD_GET, "/api/dashboard/stats", ACCESS_READER, .handler = stats},
    {METHOD_GET, "/api/dashboard/summary", ACCESS_READER, .handler = summary},
    {METHOD_POST, "/api/dashboard/sync-agents", ACCESS_ADMIN, JSON, .handler = sync_agents_list},
    {METHOD_POST, "/api/dashboard/sync-calls", ACCESS_ADMIN, JSON, .handler = sync_calls},
    {METHOD_GET, "/api/dashboard/sync-status", ACCESS_READER, .handler = sync_status},
    {METHOD_GET, "/api/dashboard/users", ACCESS_ADMIN, .handler = users_list},
    {METHOD_GET, "/api/dashboard/users/:id", ACCESS_ADMIN, .handler = user_info},
    {METHOD_PUT, "/api/dashboard/users/:id", ACCESS_ADMIN, JSON, .handler = user_change},
    {METHOD_DELETE, "/api/dashboard/users/:id", ACCESS_ADMIN, .handler = user_remove},
    {METHOD_GET, "/api/dashboard/users/:id/agents", ACCESS_ADMIN, .handler = user_agents},
    {METHOD_POST, "/api/dashboard/users/:id/approve", ACCESS_SUPERADMIN, JSON,
     .handler = user_approve},
    {METHOD_POST, "/api/webhooks/retell", ACCESS_SIGNED, LIMIT_FAILURES, .raw_body = true,
     .handler = webhook_retell},
    {METHOD_GET, "/health", ACCESS_PUBLIC, LIMIT_NONE, .handler = health},
    {METHOD_GET, "/healthz", ACCESS_PUBLIC, LIMIT_NONE, .handler = health},
    {METHOD_GET, "/openapi.json", ACCESS_PUBLIC, .handler = openapi},
    {METHOD_GET, "/readyz", ACCESS_PUBLIC, LIMIT_NONE, .handler = readiness},
};

_Static_assert(COUNT(main_routes) <= ROUTER_MAX_ROUTES, "the router takes them all");

static const struct route admin_routes[] = {
    {METHOD_GET, "/health", ACCESS_PUBLIC, .handler = health},
    {METHOD_GET, "/healthz", ACCESS_PUBLIC, .handler = health},
    {METHOD_GET, "/metrics", ACCESS_PUBLIC, .handler = metrics_page},
    {METHOD_GET, "/readyz", ACCESS_PUBLIC, .handler = readiness},
};

static bool admit(struct app *app, enum access access, struct request *req, struct response *res)
{
    if (access == ACCESS_SIGNED)
        return webhook_admit(app, req, res);
    return guard_admit(&app->guard, access, req, res);
}

static struct router router_over(struct app *app, const struct route *routes, size_t count)
{
    struct router router = {
        .app = app, .webhook_max_bytes = (size_t)app->config->webhook_max_bytes, .guard = admit};
    router_set_routes(&router, routes, count);
    return router;
}

struct metrics *routes_metrics(void)
{
    static char names[COUNT(main_routes)][96];
    static const char *labels[COUNT(main_routes)];
    for (size_t i = 0; i < COUNT(main_routes); i++) {
        (void)snprintf(names[i], sizeof names[i], "%s %s", method_name(main_routes[i].method),
                       main_routes[i].pattern);
        labels[i] = names[i];
    }
    return metrics_new(labels, COUNT(main_routes));
}

struct router routes_main(struct app *app)
{
    struct router router = router_over(app, main_routes, COUNT(main_routes));
    router.cors = &app->cors;
    router.limiter = app->limiter;
    return router;
}

struct router routes_admin(struct app *app)
{
    return router_over(app, admin_routes, COUNT(admin_routes));
}

void routes_print(FILE *out)
{
    for (size_t i = 0; i < COUNT(main_routes); i++) {
        const struct route *route = &main_routes[i];
        (void)fprintf(out,
                      "%s{\"method\":\"%s\",\"pattern\":\"%s\",\"access\":\"%s\",\"limit\":\"%s\"}",
                      i ? ",\n " : "[", method_name(route->method), route->pattern,
                      router_access_name(route->access), limiter_limit_name(route->limit));
    }
    (void)fputs("]\n", out);
}
