<?php
$c->pg_connect[] = sprintf("host=%s dbname=%s user=%s password=%s", getenv("PGHOST"), getenv("PGDATABASE"), getenv("PGUSER"), getenv("PGPASSWORD"));
$c->system_name = "DAViCal";
$c->admin_email = "admin@example.org";
$c->readonly_webdav_collections = false;
