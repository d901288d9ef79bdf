#!/bin/sh
# Usage: tools/debian-packages.sh PACKAGE…
#
# Installs those of the Debian packages that are missing. Who is not root reads the command that
# would do it, and nothing is changed.
set -eu

missing=
for package; do
	case $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || :) in
	installed) ;;
	*) missing="$missing $package" ;;
	esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "These Debian packages are missing. Install them, then run make again:" >&2
	echo "  sudo apt-get install --no-install-recommends$missing" >&2
	exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# The names are words of a list, so they are split here on purpose.
# shellcheck disable=SC2086
install() {
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
		-o DPkg::Lock::Timeout=300 $missing >>"$log" 2>&1 </dev/null
}

# Package lists age: when they name a file that is gone, or no file at all, fresh ones help.
echo "Installing Debian packages:$missing"
install || { apt-get update -q -o DPkg::Lock::Timeout=300 >>"$log" 2>&1 </dev/null && install; } || {
	cat "$log" >&2
	echo "Cannot install Debian packages:$missing" >&2
	exit 1
}
