#!/bin/sh
# Checks the contract: the protos are sound, what the seed promised still holds, and the generated
# code is what the generator writes today.
set -eu

buf lint
buf breaking api --against api/seed --against-config '{"version":"v2","modules":[{"path":"api/seed"}]}'

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT

buf generate --output "$fresh"
diff -ru packages/api/src/gen "$fresh/packages/api/src/gen" || {
	echo "Generated code is not current: run make generate" >&2
	exit 1
}
