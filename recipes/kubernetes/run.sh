#!/bin/sh
# One run on Kubernetes: twenty pods draw, five at a time, and one publishes when all are in.
set -e
cd "$(dirname "$0")"
kubectl delete job people-draw people-publish --ignore-not-found
kubectl apply -f draw.json
kubectl wait --for=condition=complete --timeout=2h job/people-draw
kubectl apply -f publish.json
kubectl wait --for=condition=complete --timeout=1h job/people-publish
