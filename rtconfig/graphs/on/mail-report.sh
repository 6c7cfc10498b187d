#!/bin/sh
# Mails the report that a command of [on] finds on its standard input: ./mail-report.sh ADDRESS
set -eu
to=${1:?give the address to mail to: mail-report.sh ADDRESS}
# One line, whatever a stage has said.
subject=$(printf '%s' "ephapse ${EPHAPSE_SESSION:-?}: ${EPHAPSE_ON:-?}: ${EPHAPSE_CAUSE:-?}" | tr '\r\n' '  ')
if command -v mail >/dev/null 2>&1; then
    exec mail -s "$subject" "$to"
fi
sendmail=$(command -v sendmail || echo /usr/sbin/sendmail)
if [ ! -x "$sendmail" ]; then
    echo "mail-report.sh: there is neither mail nor sendmail here: install one of them" >&2
    exit 1
fi
{
    printf 'To: %s\nSubject: %s\nContent-Type: application/json; charset=utf-8\n\n' "$to" "$subject"
    cat
} | "$sendmail" -t
