#!/usr/bin/env bash
# azcopy, as a later step of a job: makes a container, copies a file up, lists it and copies it down again, and prints what
# it got as one line of JSON. SECONDS_LONG stretches the copy, so that one process outlives its tokens. A second step finds
# the container of the first.
set -euo pipefail
azcopy=$1
folder=$AGENT_TEMPDIRECTORY/azcopy
container=https://$STORAGEACCOUNT.blob.core.windows.net/acceptance
export AZCOPY_LOG_LOCATION=$folder/log AZCOPY_JOB_PLAN_LOCATION=$folder/plan AZCOPY_DISABLE_SYSLOG=true
quiet=(--skip-version-check --output-level=essential)

if [ ! -d "$folder" ]; then
  mkdir "$folder"
  # Two megabytes, in parts of a quarter of one.
  head --bytes=2M /dev/urandom >"$folder/up"
  "$azcopy" make "$container" "${quiet[@]}"
fi
# 16 megabits at so many in a second.
slow=()
if [ "${SECONDS_LONG:-0}" -gt 0 ]; then
  slow=(--block-size-mb=0.25 --put-blob-size-mb=0.25 "--cap-mbps=$(awk "BEGIN { print 16 / $SECONDS_LONG }")")
fi
"$azcopy" copy "$folder/up" "$container/kept" "${quiet[@]}" "${slow[@]}"
"$azcopy" list "$container" --skip-version-check | grep --quiet kept
"$azcopy" copy "$container/kept" "$folder/down" "${quiet[@]}"
cmp "$folder/up" "$folder/down"
rm "$folder/down"
version=$("$azcopy" --version | awk '{ print $3 }')
printf '{"credential":"%s","version":"%s","files":"copied up and down"}\n' "$2" "$version"
