#!/bin/sh
# A nightly batch: WORKERS processes draw the M data sets of one run, and the last command publishes it.
#
#   [TERMS='--contract FILE --budget SECONDS --beside'] recipes/nightly.sh DB SOURCE OUT M WORKERS [options of `impute`]
#
# Exit codes are those of `imputedb impute` (docs/jobs.md). A killed or failed worker loses nothing: the last command draws
# what is left. What is in use (75) is tried again. TERMS are of the command that publishes.
set -u
db=$1 source=$2 out=$3 m=$4 workers=$5
shift 5

seq "$workers" | xargs -P "$workers" -I{} sh -c '
    m=$1 workers=$2
    first=$(( ({} - 1) * m / workers + 1 )) last=$(( {} * m / workers ))
    shift 2
    [ "$first" -gt "$last" ] || imputedb impute "$@" --m "$m" --draw "$first-$last"
' worker "$m" "$workers" "$db" "$source" --out "$out" "$@"

for wait in 1 5 25 125 0; do
    imputedb impute "$db" "$source" --out "$out" --m "$m" "$@" ${TERMS:-}
    code=$?
    [ "$code" -eq 75 ] || break
    sleep "$wait"
done
exit "$code"
