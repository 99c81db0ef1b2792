# bash completion of frontdesk: asks the program itself, so it is never behind it.
_frontdesk() {
    local word=${COMP_WORDS[COMP_CWORD]} program=${COMP_WORDS[0]} help words
    if [ "$COMP_CWORD" = 1 ]; then
        words=$("$program" --help 2>/dev/null | sed -n 's/^  \([a-z]\{1,\}\) .*/\1/p')
    else
        help=$("$program" "${COMP_WORDS[1]}" --help 2>/dev/null)
        words=$(grep -oE -- '--[a-z][a-z-]*' <<<"$help" | sort -u)
        if [ "$COMP_CWORD" = 2 ]; then # what the usage lists as a|b|c, and trigger's events
            words+=" $(sed -n '1s/^usage: frontdesk [a-z]* \([a-z|]*\).*/\1/p' <<<"$help" | tr '|' ' ')"
            words+=" $(grep -oE '\b[a-z]+_[a-z]+\b' <<<"$help" | sort -u)"
        fi
    fi
    # shellcheck disable=SC2207 # the words have no spaces in them
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _frontdesk frontdesk
