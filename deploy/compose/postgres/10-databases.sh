#!/bin/bash
# A database for each service, with a role that owns it and a role that works in it.
# Run once by the image, when its data folder is empty.
set -euo pipefail

for service in ledger tariff meter_gateway payments notifier; do
  psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set db="npms_$service" --set owner="npms_${service}_owner" --set app="npms_${service}_app" \
    --set owner_password="$NPMS_OWNER_PASSWORD" --set app_password="$NPMS_APP_PASSWORD" <<'SQL'
CREATE ROLE :"owner" LOGIN PASSWORD :'owner_password';
CREATE ROLE :"app" LOGIN PASSWORD :'app_password';
CREATE DATABASE :"db" OWNER :"owner";
REVOKE ALL ON DATABASE :"db" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"db" TO :"app";
SQL
done
