#include "db/sql_split.h"

#include <ctype.h>
#include <string.h>

/* All of these return the first byte after what they skip, the end of the text at the latest. */

static const char *skip_line_comment(const char *s)
{
    return s + strcspn(s, "\n");
}

static const char *skip_block_comment(const char *s)
{
    int depth = 0;
    while (*s) {
        if (s[0] == '/' && s[1] == '*') {
            depth++;
            s += 2;
        } else if (s[0] == '*' && s[1] == '/') {
            s += 2;
            if (--depth == 0)
                break;
        } else {
            s++;
        }
    }
    return s;
}

/* A doubled quote is two strings in a row to us, which ends at the same place. */
static const char *skip_quoted(const char *s, bool backslashes)
{
    char quote = *s++;
    while (*s && *s != quote)
        s += backslashes && s[0] == '\\' && s[1] ? 2 : 1;
    return *s ? s + 1 : s;
}

static const char *skip_dollar_quoted(const char *s)
{
    size_t tag = 1;
    while (isalnum((unsigned char)s[tag]) || s[tag] == '_')
        tag++;
    if (s[tag] != '$' || isdigit((unsigned char)s[1]))
        return s + 1; /* a parameter or a lone sign */
    tag++;
    for (const char *end = s + tag; *end; end++)
        if (strncmp(end, s, tag) == 0)
            return end + tag;
    return s + strlen(s);
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$';
}

/* One token of any kind; `s` is not at the end. */
static const char *skip_token(const char *s)
{
    if (s[0] == '-' && s[1] == '-')
        return skip_line_comment(s);
    if (s[0] == '/' && s[1] == '*')
        return skip_block_comment(s);
    if ((s[0] == 'E' || s[0] == 'e') && s[1] == '\'')
        return skip_quoted(s + 1, true);
    if (*s == '\'' || *s == '"')
        return skip_quoted(s, false);
    if (*s == '$')
        return skip_dollar_quoted(s);
    if (!is_word(*s))
        return s + 1;
    while (is_word(*s))
        s++;
    return s;
}

static bool is_comment(const char *s)
{
    return (s[0] == '-' && s[1] == '-') || (s[0] == '/' && s[1] == '*');
}

bool sql_split_next(const char **at, const char **statement, size_t *len)
{
    const char *s = *at;
    while (*s && (isspace((unsigned char)*s) || *s == ';' || is_comment(s)))
        s = is_comment(s) ? skip_token(s) : s + 1;
    *statement = s;
    int depth = 0;
    while (*s && !(*s == ';' && depth <= 0)) {
        depth += (*s == '(') - (*s == ')');
        s = skip_token(s);
    }
    *len = (size_t)(s - *statement);
    *at = *s ? s + 1 : s;
    return *len > 0;
}
