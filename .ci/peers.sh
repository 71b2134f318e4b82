#!/usr/bin/env bash
# The real peers that tests talk to: Dovecot, Postfix, OpenDKIM, PostgreSQL, Chromium, systemd-analyze.
# Root on Debian: install what is missing. Elsewhere: say which tests will be skipped.
# MAILGATE_PEERS=skip installs nothing.
set -euo pipefail

# command (or glob of a file) | package | what it is
peers() {
    cat <<'TABLE'
/usr/sbin/dovecot /usr/local/sbin/dovecot|dovecot-core|Dovecot
/usr/lib/dovecot/imap /usr/libexec/dovecot/imap|dovecot-imapd|Dovecot IMAP
/usr/sbin/postfix|postfix|Postfix
/usr/sbin/opendkim|opendkim|OpenDKIM
/usr/lib/postgresql/*/bin/initdb|postgresql|PostgreSQL
/usr/bin/chromium-headless-shell /usr/bin/chromium|chromium-headless-shell|Chromium
/usr/bin/openssl|openssl|OpenSSL
/usr/bin/ps /bin/ps|procps|ps
/usr/bin/systemd-analyze|systemd|systemd-analyze
TABLE
}

missing() { # prints package|what for each peer of which no file exists
    local files package what file
    peers | while IFS='|' read -r files package what; do
        for file in $files; do
            [ -e "$file" ] && continue 2
        done
        echo "$package|$what"
    done
}

report() {
    echo "Not installed, so tests against them will be skipped:"
    missing | sed 's/.*|/  - /'
}

install() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq || return 1
    local packages
    packages="$(missing | cut -d'|' -f1)"
    if ! apt-cache show chromium-headless-shell >/dev/null 2>&1; then
        packages="${packages//chromium-headless-shell/chromium}"
    fi
    # Postfix asks nothing and gets no main.cf; tests bring their own instance.
    echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections
    # Tests run private servers; the packages' own services are not to be started.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod 755 /usr/sbin/policy-rc.d
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    echo "Installing the real peers of the tests:" $packages
    # shellcheck disable=SC2086 # a list of words
    apt-get install -y -qq --no-install-recommends $packages >/dev/null
}

[ -n "$(missing)" ] || exit 0
if [ "${MAILGATE_PEERS:-}" != skip ] && [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ]; then
    install || echo "Installing failed; going on with what is there." >&2
fi
[ -z "$(missing)" ] || report
