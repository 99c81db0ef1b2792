#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "decimal.h"

int64 decimal_quotient(int64 part, int64 scale, int64 whole)
{
    int128 quotient;

    if (whole == 0)
        return 0;
    quotient = ((int128)part * scale * 2 + whole) / ((int128)whole * 2);
    return (int64)Min(quotient, (int128)PG_INT64_MAX);
}

void decimal_append(StringInfo out, int64 value, int decimals)
{
    char digits[MAXINT8LEN + 2];
    int len = pg_ulltoa_n((uint64)(value < 0 ? -value : value), digits);
    int zeros = 0;

    if (value < 0)
        appendStringInfoCharMacro(out, '-');
    while (zeros < decimals && zeros < len && digits[len - 1 - zeros] == '0')
        zeros++;
    if (value == 0 || zeros == decimals) {
        appendBinaryStringInfo(out, digits, value == 0 ? 1 : len - decimals);
        return;
    }
    if (len > decimals)
        appendBinaryStringInfo(out, digits, len - decimals);
    else
        appendStringInfoCharMacro(out, '0');
    appendStringInfoCharMacro(out, '.');
    for (int i = len; i < decimals; i++)
        appendStringInfoCharMacro(out, '0');
    appendBinaryStringInfo(out, digits + Max(len - decimals, 0), Min(len, decimals) - zeros);
}

Datum decimal_numeric(int64 value, int decimals)
{
    return NumericGetDatum(int64_div_fast_to_numeric(value, decimals));
}
