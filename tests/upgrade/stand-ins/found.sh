# What a step found, for the test: names of variables that have a value, and no value. Sourced by the others.
found() {
  for name in $(env | sed -n -E 's/^((HUB_)?(ARM|AZURE|AZD|AZCOPY|IDENTITY|WIF)_[A-Z_]*)=.+$/\1/p'); do
    echo "found $name"
  done
}
