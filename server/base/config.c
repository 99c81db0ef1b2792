#include "base/config.h"

#include "base/arena.h"
#include "base/log.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

enum { MAX_FILE = 64 * 1024, MIN_SECRET = 16 };

/* ---- where values come from ---- */

struct pair {
    const char *name, *value;
    struct pair *next;
};

struct config_source {
    struct arena *arena;
    struct pair *file; /* of .env */
};

static void complain(struct buf *errors, const char *name, const char *what)
{
    buf_printf(errors, "%s: %s\n", name, what);
}

/* The whole of a small file, NUL-terminated; NULL with errno set. */
static char *read_small_file(struct arena *arena, const char *path)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return NULL;
    char *text = arena_alloc(arena, MAX_FILE + 1);
    size_t len = text ? fread(text, 1, MAX_FILE + 1, f) : 0;
    int failure = !text ? ENOMEM : ferror(f) ? EIO : len > MAX_FILE ? EFBIG : 0;
    (void)fclose(f);
    errno = failure;
    if (failure)
        return NULL;
    text[len] = '\0';
    return text;
}

/* Undoes the double quotes of a value in place: \" \\ \n are the escapes. NULL when malformed. */
static char *unquote(char *value)
{
    size_t len = strlen(value);
    if (value[0] != '"')
        return value;
    if (len < 2 || value[len - 1] != '"')
        return NULL;
    value[len - 1] = '\0';
    char *to = value;
    for (char *from = value + 1; *from; from++) {
        if (*from == '"')
            return NULL;
        if (*from == '\\') {
            from++;
            if (*from != '"' && *from != '\\' && *from != 'n')
                return NULL;
        }
        *to++ = from[0] == 'n' && from[-1] == '\\' ? '\n' : *from;
    }
    *to = '\0';
    return value;
}

static char *trim(char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    size_t len = strlen(s);
    while (len && isspace((unsigned char)s[len - 1]))
        s[--len] = '\0';
    return s;
}

static bool parse_env_line(struct config_source *source, char *line, int number, struct buf *errors)
{
    line = trim(line);
    if (!*line || *line == '#')
        return true;
    if (strncmp(line, "export ", 7) == 0)
        line = trim(line + 7);
    char *equals = strchr(line, '=');
    size_t name_len = equals ? (size_t)(equals - line) : 0;
    if (!name_len ||
        strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789") !=
            name_len) {
        buf_printf(errors, ".env, line %d: expected NAME=value\n", number);
        return false;
    }
    *equals = '\0';
    char *value = unquote(trim(equals + 1));
    struct pair *pair = arena_alloc(source->arena, sizeof *pair);
    if (!value || !pair) {
        buf_printf(errors, ".env, line %d: the value of %s has an unfinished quote\n", number,
                   line);
        return false;
    }
    *pair = (struct pair){.name = line, .value = value, .next = source->file};
    source->file = pair;
    return true;
}

static bool read_env_file(struct config_source *source, struct buf *errors)
{
    char *text = read_small_file(source->arena, ".env");
    if (!text && errno == ENOENT)
        return true;
    if (!text) {
        buf_printf(errors, ".env: cannot be read: %s\n", strerror(errno));
        return false;
    }
    bool good = true;
    char *rest = text;
    for (int number = 1; rest; number++)
        good &= parse_env_line(source, strsep(&rest, "\n"), number, errors);
    return good;
}

struct config_source *config_source_open(struct buf *errors)
{
    struct config_source *source = calloc(1, sizeof *source);
    if (source)
        source->arena = arena_new(4 << 20);
    if (source && source->arena && read_env_file(source, errors))
        return source;
    config_source_free(source);
    return NULL;
}

void config_source_free(struct config_source *source)
{
    if (!source)
        return;
    arena_free(source->arena);
    free(source);
}

static const char *plain_value(struct config_source *source, const char *name)
{
    const char *value = getenv(name);
    for (struct pair *p = source->file; !value && p; p = p->next)
        if (strcmp(p->name, name) == 0)
            value = p->value;
    return value && *value ? value : NULL;
}

const char *config_lookup(struct config_source *source, const char *name, struct buf *errors)
{
    const char *value = plain_value(source, name);
    char *file_name = arena_printf(source->arena, "%s_FILE", name);
    const char *path = file_name ? plain_value(source, file_name) : NULL;
    if (value || !path)
        return value;
    char *text = read_small_file(source->arena, path);
    if (!text) {
        buf_printf(errors, "%s: %s cannot be read: %s\n", file_name, path, strerror(errno));
        return NULL;
    }
    return trim(text);
}

/* ---- the table ---- */

enum kind {
    TEXT,
    SECRET,   /* text of at least MIN_SECRET characters */
    LIST,     /* at most `hi` secrets, comma-separated, each of at least `lo` characters */
    ORIGINS,  /* what browsers send as Origin, as a list: scheme://host[:port] */
    NETWORKS, /* addresses and CIDRs, as a list */
    SPAN,     /* a time: digits and s, m, h or d (none: s); lo ≤ seconds ≤ hi */
    NUMBER,   /* lo ≤ digits ≤ hi */
    CHOICE,   /* one of `choices`; the value is its index */
};

struct setting {
    const char *name;
    enum kind kind;
    size_t offset;        /* into struct config */
    const char *fallback; /* default as text; NULL: none */
    const char *inherits; /* another setting that gives the default */
    bool required;
    int64_t lo, hi;
    const char *choices; /* separated by | */
    const char *hint;    /* what it is, for the error */
};

#define AT(field) offsetof(struct config, field)

static const struct setting settings[] = {
    {.name = "ADMIN_HOST", .kind = TEXT, .offset = AT(admin_host), .fallback = "127.0.0.1"},
    {.name = "ADMIN_PORT",
     .kind = NUMBER,
     .offset = AT(admin_port),
     .fallback = "9090",
     .hi = 65535},
    {.name = "ALLOWED_ORIGINS",
     .kind = ORIGINS,
     .offset = AT(allowed_origins),
     .hi = CONFIG_MAX_ITEMS},
    {.name = "API_AUTH_KEY",
     .kind = SECRET,
     .offset = AT(api_auth_key),
     .required = true,
     .hint = "the service key that dashboards send as x-api-key"},
    {.name = "DATABASE_URL",
     .kind = TEXT,
     .offset = AT(database_url),
     .required = true,
     .hint = "the database, as postgresql://user@host/frontdesk"},
    {.name = "DB_POOL_SIZE",
     .kind = NUMBER,
     .offset = AT(db_pool_size),
     .fallback = "8",
     .lo = 1,
     .hi = 256},
    {.name = "HOST", .kind = TEXT, .offset = AT(host), .fallback = "0.0.0.0"},
    {.name = "JOURNAL_RETENTION_DAYS",
     .kind = NUMBER,
     .offset = AT(journal_retention_days),
     .fallback = "30",
     .lo = 1,
     .hi = 36500},
    {.name = "JWT_EXPIRES_IN",
     .kind = SPAN,
     .offset = AT(jwt_expires_in),
     .fallback = "24h",
     .lo = 1,
     .hi = 31622400},
    {.name = "JWT_SECRET", .kind = LIST, .offset = AT(jwt_secret), .lo = 32, .hi = 8},
    {.name = "LOG_DIR", .kind = TEXT, .offset = AT(log_dir), .fallback = "logs"},
    {.name = "LOG_FORMAT",
     .kind = CHOICE,
     .offset = AT(log_format),
     .fallback = "json",
     .choices = "json|text"},
    {.name = "LOG_LEVEL",
     .kind = CHOICE,
     .offset = AT(log_level),
     .fallback = "info",
     .choices = "debug|info|warn|error"},
    {.name = "MIGRATION_DATABASE_URL",
     .kind = TEXT,
     .offset = AT(migration_database_url),
     .inherits = "DATABASE_URL"},
    {.name = "NODE_ENV",
     .kind = CHOICE,
     .offset = AT(node_env),
     .fallback = "development",
     .choices = "development|production|test"},
    {.name = "POLL_INTERVAL_SECONDS",
     .kind = NUMBER,
     .offset = AT(poll_interval_seconds),
     .fallback = "60",
     .hi = 86400},
    {.name = "POLL_WINDOW_HOURS",
     .kind = NUMBER,
     .offset = AT(poll_window_hours),
     .fallback = "24",
     .lo = 1,
     .hi = 8760},
    {.name = "PORT", .kind = NUMBER, .offset = AT(port), .fallback = "3000", .hi = 65535},
    {.name = "RATE_LIMIT_MAX",
     .kind = NUMBER,
     .offset = AT(rate_limit_max),
     .fallback = "100",
     .hi = 1000000000},
    {.name = "RATE_LIMIT_WINDOW_MS",
     .kind = NUMBER,
     .offset = AT(rate_limit_window_ms),
     .fallback = "900000",
     .lo = 100,
     .hi = 86400000},
    {.name = "REGISTRATION",
     .kind = CHOICE,
     .offset = AT(registration),
     .choices = "open|approval|closed"},
    {.name = "RETELL_API_KEY",
     .kind = TEXT,
     .offset = AT(retell_api_key),
     .required = true,
     .hint = "the API key of the Retell account"},
    {.name = "RETELL_BASE_URL",
     .kind = TEXT,
     .offset = AT(retell_base_url),
     .fallback = "https://api.retellai.com"},
    {.name = "RETELL_WEBHOOK_KEYS",
     .kind = LIST,
     .offset = AT(retell_webhook_keys),
     .inherits = "RETELL_API_KEY",
     .hi = 8},
    {.name = "RUN_MIGRATIONS",
     .kind = CHOICE,
     .offset = AT(run_migrations),
     .fallback = "0",
     .choices = "0|1"},
    {.name = "SUPERADMIN_EMAIL", .kind = TEXT, .offset = AT(superadmin_email)},
    {.name = "SUPERADMIN_NAME", .kind = TEXT, .offset = AT(superadmin_name)},
    {.name = "SUPERADMIN_PASSWORD", .kind = TEXT, .offset = AT(superadmin_password)},
    {.name = "TRUSTED_PROXIES",
     .kind = NETWORKS,
     .offset = AT(trusted_proxies),
     .hi = CONFIG_MAX_ITEMS},
    {.name = "WEBHOOK_MAX_BYTES",
     .kind = NUMBER,
     .offset = AT(webhook_max_bytes),
     .fallback = "10485760",
     .lo = 1024,
     .hi = 134217728},
};

static bool set_number(const struct setting *s, const char *value, int64_t *out)
{
    size_t len = strlen(value);
    if (!len || len > 15 || strspn(value, "0123456789") != len)
        return false;
    *out = strtoll(value, NULL, 10);
    return *out >= s->lo && *out <= s->hi;
}

static bool set_span(const struct setting *s, const char *value, int64_t *out)
{
    static const struct {
        const char *unit;
        int64_t seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    size_t digits = strspn(value, "0123456789");
    if (!digits || digits > 9)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(value + digits, units[i].unit) != 0)
            continue;
        *out = strtoll(value, NULL, 10) * units[i].seconds;
        return *out >= s->lo && *out <= s->hi;
    }
    return false;
}

static bool set_choice(const struct setting *s, const char *value, int64_t *out)
{
    size_t len = strlen(value);
    int64_t index = 0;
    for (const char *c = s->choices; c; index++) {
        const char *bar = strchr(c, '|');
        size_t n = bar ? (size_t)(bar - c) : strlen(c);
        if (n == len && memcmp(c, value, n) == 0) {
            *out = index;
            return true;
        }
        c = bar ? bar + 1 : NULL;
    }
    return false;
}

static bool set_list(const struct setting *s, struct arena *arena, const char *value,
                     struct config_list *out)
{
    char *rest = arena_strndup(arena, value, strlen(value));
    while (rest) {
        char *item = trim(strsep(&rest, ","));
        if (!*item)
            continue;
        if (out->count == (size_t)s->hi)
            return false;
        out->items[out->count++] = item;
    }
    return out->count > 0;
}

static void check_lengths(const struct setting *s, const struct config_list *list,
                          struct buf *errors)
{
    for (size_t i = 0; i < list->count; i++)
        if (strlen(list->items[i]) < (size_t)s->lo)
            buf_printf(errors,
                       "%s: value %zu needs at least %lld characters; make one with: openssl rand "
                       "-hex 32\n",
                       s->name, i + 1, (long long)s->lo);
}

/* An origin as browsers send it: lower case, the scheme's own port left out, nothing behind it. */
static bool is_origin(const char *item)
{
    static const char host[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_[]:";
    const char *scheme = strstr(item, "://");
    if (!scheme || scheme == item)
        return false;
    size_t scheme_len = (size_t)(scheme - item);
    size_t len = strlen(scheme + 3);
    const char *port = strrchr(scheme + 3, ':');
    if (port && (strcmp(port, ":80") == 0 || strcmp(port, ":443") == 0) &&
        scheme_len == (port[1] == '8' ? 4U : 5U))
        return false;
    return strspn(item, "abcdefghijklmnopqrstuvwxyz0123456789+.-") == scheme_len && len > 0 &&
           strspn(scheme + 3, host) == len;
}

static void set_origins(const struct setting *s, struct config *config, const char *value,
                        struct buf *errors)
{
    struct config_list *list = (struct config_list *)((char *)config + s->offset);
    if (!set_list(s, config->source->arena, value, list))
        buf_printf(errors, "%s: needs one to %lld origins, separated by commas\n", s->name,
                   (long long)s->hi);
    for (size_t i = 0; i < list->count; i++)
        if (!is_origin(list->items[i]))
            buf_printf(errors,
                       "%s: `%s` is no origin; write it as browsers do: https://host or "
                       "https://host:port, lower case, without a path\n",
                       s->name, list->items[i]);
}

static void set_networks(const struct setting *s, struct config *config, const char *value,
                         struct buf *errors)
{
    struct config_networks *out = (struct config_networks *)((char *)config + s->offset);
    struct config_list list = {.count = 0};
    if (!set_list(s, config->source->arena, value, &list))
        buf_printf(errors, "%s: needs one to %lld networks, separated by commas\n", s->name,
                   (long long)s->hi);
    for (size_t i = 0; i < list.count; i++)
        if (!network_parse(list.items[i], &out->items[out->count++]))
            buf_printf(errors, "%s: `%s` is no network, such as 10.0.0.0/8, fd00::/8, 127.0.0.1\n",
                       s->name, list.items[i]);
}

static void apply(const struct setting *s, struct config *config, const char *value,
                  struct buf *errors)
{
    void *field = (char *)config + s->offset;
    switch (s->kind) {
    case TEXT:
        *(const char **)field = value;
        break;
    case SECRET:
        *(const char **)field = value;
        if (strlen(value) < MIN_SECRET)
            buf_printf(errors,
                       "%s: needs at least %d characters; make one with: openssl rand -hex "
                       "32\n",
                       s->name, MIN_SECRET);
        break;
    case LIST:
        if (!set_list(s, config->source->arena, value, field))
            buf_printf(errors, "%s: needs one to %lld values, separated by commas\n", s->name,
                       (long long)s->hi);
        check_lengths(s, field, errors);
        break;
    case ORIGINS:
        set_origins(s, config, value, errors);
        break;
    case NETWORKS:
        set_networks(s, config, value, errors);
        break;
    case SPAN:
        if (!set_span(s, value, field))
            buf_printf(errors, "%s: needs a time such as 90s, 15m, 24h or 7d, of %lld d at most\n",
                       s->name, (long long)(s->hi / 86400));
        break;
    case NUMBER:
        if (!set_number(s, value, field))
            buf_printf(errors, "%s: needs a whole number from %lld to %lld\n", s->name,
                       (long long)s->lo, (long long)s->hi);
        break;
    case CHOICE:
        if (!set_choice(s, value, field))
            buf_printf(errors, "%s: needs one of %s\n", s->name, s->choices);
        break;
    }
}

/* What settings ask of one another. */
static void check_together(const struct config *config, struct buf *errors)
{
    if (config->node_env == ENV_PRODUCTION && !config->jwt_secret.count)
        buf_puts(errors,
                 "JWT_SECRET: is missing; set it to what signs the tokens of users, at least "
                 "32 characters: openssl rand -hex 32\n");
    if (!config->superadmin_email != !config->superadmin_password)
        buf_puts(errors, "SUPERADMIN_EMAIL, SUPERADMIN_PASSWORD: set both, or none of them\n");
    if (config->superadmin_email && !strchr(config->superadmin_email, '@'))
        buf_puts(errors, "SUPERADMIN_EMAIL: needs an e-mail address\n");
    if (config->superadmin_password &&
        (strlen(config->superadmin_password) < 8 || strlen(config->superadmin_password) > 128))
        buf_puts(errors, "SUPERADMIN_PASSWORD: needs 8 to 128 characters\n");
}

/* What the setting is, given or by default; NULL when neither. */
static const char *effective(struct config_source *source, const struct setting *s,
                             struct buf *errors)
{
    const char *value = config_lookup(source, s->name, errors);
    if (!value && s->inherits)
        value = config_lookup(source, s->inherits, &(struct buf){.failed = true});
    return value ? value : s->fallback;
}

const char *config_value(struct config_source *source, const char *name, struct buf *errors)
{
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        if (strcmp(settings[i].name, name) == 0)
            return effective(source, &settings[i], errors);
    return NULL;
}

enum err config_read(struct config *config, struct buf *errors)
{
    size_t before = errors->len;
    *config = (struct config){.registration = -1, .source = config_source_open(errors)};
    if (!config->source) {
        if (errors->len == before)
            complain(errors, "settings", "out of memory");
        return ERR_INVALID;
    }
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        const struct setting *s = &settings[i];
        size_t mark = errors->len;
        const char *value = effective(config->source, s, errors);
        if (value)
            apply(s, config, value, errors);
        else if (s->required && errors->len == mark)
            buf_printf(errors, "%s: is missing; set it to %s\n", s->name, s->hint);
    }
    if (config->registration < 0)
        config->registration =
            config->node_env == ENV_PRODUCTION ? REGISTRATION_APPROVAL : REGISTRATION_OPEN;
    check_together(config, errors);
    return errors->len == before && !errors->failed ? ERR_OK : ERR_INVALID;
}

void config_free(struct config *config)
{
    config_source_free(config->source);
    *config = (struct config){0};
}
