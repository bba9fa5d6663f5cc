#!/bin/sh
# Score a bucket on a Ray cluster that runs already:
#   RAY_ADDRESS=http://HEAD:8265 deploy/ray/submit.sh s3://bucket/films/ /shared/table
# The table's folder must outlive the head node: a mounted disk. The same line again goes on where a job stopped.
# The nodes get pneumoscope from the job's runtime environment; an image that holds it starts faster.
set -eu
inputs=$1
table=$2
ray job submit --no-wait \
    --runtime-env-json '{"pip": ["pneumoscope[score]"], "env_vars": {"OMP_NUM_THREADS": "1"}}' \
    -- pneumoscope score "$inputs" --out "$table" --engine ray --ray-address auto
