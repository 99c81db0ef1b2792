/*
 * Settings, from the environment, else from `.env` in the working directory. One table (config.c)
 * names them all, in alphabetical order, with their defaults and bounds; any secret NAME may come
 * as NAME_FILE, the path of a file that holds it. All that is wrong is reported at once, by name.
 */
#ifndef FRONTDESK_BASE_CONFIG_H
#define FRONTDESK_BASE_CONFIG_H

#include "base/address.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum config_registration { REGISTRATION_OPEN, REGISTRATION_APPROVAL, REGISTRATION_CLOSED };
enum config_environment { ENV_DEVELOPMENT, ENV_PRODUCTION, ENV_TEST };

enum { CONFIG_MAX_ITEMS = 32 };

/* A comma-separated list, split. */
struct config_list {
    const char *items[CONFIG_MAX_ITEMS];
    size_t count;
};

struct config_networks {
    struct network items[CONFIG_MAX_ITEMS];
    size_t count;
};

struct config {
    const char *admin_host;
    int64_t admin_port;
    struct config_list allowed_origins;
    const char *api_auth_key;
    const char *database_url;
    int64_t db_pool_size;
    const char *host;
    int64_t journal_retention_days;
    int64_t jwt_expires_in;        /* seconds */
    struct config_list jwt_secret; /* none: make one up, outside production */
    const char *log_dir;           /* "-": no files */
    int64_t log_format;            /* enum log_format */
    int64_t log_level;             /* enum log_level */
    const char *migration_database_url;
    int64_t node_env;              /* enum config_environment */
    int64_t poll_interval_seconds; /* 0: never */
    int64_t poll_window_hours;
    int64_t port;
    int64_t rate_limit_max; /* 0: no limit */
    int64_t rate_limit_window_ms;
    int64_t registration; /* enum config_registration */
    const char *retell_api_key;
    const char *retell_base_url;
    struct config_list retell_webhook_keys;
    int64_t run_migrations;
    const char *superadmin_email, *superadmin_name, *superadmin_password; /* NULL: none */
    struct config_networks trusted_proxies;
    int64_t webhook_max_bytes;

    struct config_source *source; /* owns every string above */
};

/*
 * Reads all settings. On ERR_INVALID `errors` holds one line per mistake, each saying what to do.
 * `config` must be freed in either case.
 */
MUSTCHECK enum err config_read(struct config *config, struct buf *errors);
void config_free(struct config *config);

/*
 * Opens the place settings come from without checking any; for commands that need only one or two.
 * NULL when memory is short or `.env` is malformed (said in `errors`).
 */
struct config_source *config_source_open(struct buf *errors);
void config_source_free(struct config_source *source);

/* The raw value of `name` (environment, NAME_FILE, `.env`), or NULL; owned by `source`. */
const char *config_lookup(struct config_source *source, const char *name, struct buf *errors);

/* The same, or the default of that setting. */
const char *config_value(struct config_source *source, const char *name, struct buf *errors);

#endif
