# Reads what psql says while it measures (see write_round in run); prints "KEY<tab>ms<tab>CPU ms" for
# each key, the medians of its executions' times and of the CPU time between begin and end, per
# execution. Round 0 warms up.
function median(list, n,    i, j, x) {
    for (i = 2; i <= n; i++) { # few enough for an insertion sort
        x = list[i]
        for (j = i - 1; j >= 1 && list[j] > x; j--) list[j + 1] = list[j]
        list[j + 1] = x
    }
    return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}
/^round / {
    round = $2
    printf "  run %d of %d\r", round, runs > "/dev/stderr"
    next
}
/^begin / {
    cpu = $2
    parts = $3
    key = substr($0, length($1 " " $2 " " $3 " ") + 1)
    if (!(key in counts)) order[++keys] = key
    counts[key] += 0
    done = part = sum = 0
    next
}
/^Time: / {
    sum += $2
    if (++part < parts) next
    done++
    if (round > 0) times[key, ++counts[key]] = sum
    part = sum = 0
    next
}
/^end / {
    if (round > 0) cpus[key, ++blocks[key]] = ($2 - cpu) / 1e6 / done
    next
}
{ print > "/dev/stderr"; failed = 1 }
END {
    printf "%20s\r", "" > "/dev/stderr"
    if (failed || round != runs) exit 1
    for (k = 1; k <= keys; k++) {
        key = order[k]
        for (i = 1; i <= counts[key]; i++) a[i] = times[key, i]
        for (i = 1; i <= blocks[key]; i++) b[i] = cpus[key, i]
        printf "%s\t%.4f\t%.4f\n", key, median(a, counts[key]), median(b, blocks[key])
    }
}
