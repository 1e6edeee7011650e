-- What a PostgreSQL database is besides its rows, from version 11 on. Every line has six texts; the first says what the others are:
--   T  table: name in findings, name in SQL, whether it has rows ('rows' or '')
--   C  column: table in SQL, name, kind of its values, place in the primary key or 0, whether it is computed ('computed' or ''); by number
--   S  sequence: name in findings, name in SQL, the table that owns it
--   O  property of an object: what, name, property, value, the table that it is part of
-- search_path is pg_catalog, so that every name in a definition has its schema. In braces is what not every role may see.
WITH ns AS (
  SELECT oid, nspname, nspowner, nspacl,
    CASE WHEN nspname = 'public' THEN '' WHEN nspname LIKE '%.%' THEN quote_ident(nspname) || '.' ELSE nspname || '.' END AS prefix
  FROM pg_namespace WHERE nspname <> 'information_schema' AND nspname !~ '^pg_'
),
member AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'),
rel AS (
  SELECT c.oid AS id, relkind, relowner, relacl, relpersistence, reloptions, relrowsecurity, relforcerowsecurity, relreplident, relpartbound,
    quote_ident(nspname) || '.' || quote_ident(relname) AS sql, named.shown, kind.what,
    CASE kind.what WHEN 'table' THEN named.shown ELSE '' END AS part
  FROM pg_class AS c JOIN ns ON ns.oid = relnamespace
  CROSS JOIN LATERAL (SELECT prefix || CASE WHEN relname LIKE '%.%' THEN quote_ident(relname) ELSE relname END AS shown) AS named
  CROSS JOIN LATERAL (SELECT CASE WHEN relkind IN ('r', 'p', 'f') THEN 'table' WHEN relkind = 'v' THEN 'view'
    WHEN relkind = 'm' THEN 'materialized view' WHEN relkind = 'S' THEN 'sequence' ELSE 'type' END AS what) AS kind
  WHERE relkind IN ('r', 'p', 'f', 'v', 'm', 'S', 'c')
),
col AS (
  SELECT a.*, rel.what, rel.shown, rel.part, rel.sql, rel.relkind, format('%s.%s', rel.shown, attname) AS named
  FROM pg_attribute AS a JOIN rel ON rel.id = attrelid WHERE attnum > 0 AND NOT attisdropped
),
proc AS (
  SELECT p.*, CASE prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END AS what,
    format('%s%s(%s)', prefix, proname, pg_get_function_identity_arguments(p.oid)) AS shown
  FROM pg_proc AS p JOIN ns ON ns.oid = pronamespace
  WHERE NOT EXISTS (SELECT 1 FROM member WHERE classid = 'pg_proc'::regclass AND objid = p.oid)
),
typ AS (
  SELECT t.*, prefix || typname AS shown FROM pg_type AS t JOIN ns ON ns.oid = typnamespace
  WHERE (typtype IN ('e', 'd', 'r') OR typtype = 'b' AND typcategory <> 'A'
         OR typtype = 'c' AND EXISTS (SELECT 1 FROM rel WHERE rel.id = typrelid AND relkind = 'c'))
    AND NOT EXISTS (SELECT 1 FROM member WHERE classid = 'pg_type'::regclass AND objid = t.oid)
),
setting AS (
  SELECT setdatabase, setrole, split_part(s, '=', 1) AS name, substr(s, strpos(s, '=') + 1) AS value
  FROM pg_db_role_setting CROSS JOIN LATERAL unnest(setconfig) AS s
  WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
),
catalog (kind, a, b, c, d, e) AS (
-- Tables, columns, sequences to read.
SELECT 'T', shown, sql, CASE relkind WHEN 'r' THEN 'rows' ELSE '' END, '', '' FROM rel WHERE what = 'table'
UNION ALL SELECT * FROM (
  SELECT 'C', col.sql, attname::text, CASE WHEN typname = 'bytea' THEN 'blob' WHEN typcategory = 'N' THEN 'number' WHEN typname = 'bool' THEN 'bool' ELSE 'text' END,
    (coalesce(CASE WHEN array_position(indkey::int2[], attnum) < indnkeyatts THEN array_position(indkey::int2[], attnum) END, -1) + 1)::text, CASE WHEN to_jsonb(col) ->> 'attgenerated' <> '' THEN 'computed' ELSE '' END
  FROM col JOIN pg_type AS t ON t.oid = atttypid LEFT JOIN pg_index ON indrelid = attrelid AND indisprimary
  WHERE relkind = 'r' ORDER BY attrelid, attnum) AS columns
UNION ALL SELECT 'S', shown, sql, coalesce((SELECT t.shown FROM pg_depend JOIN rel AS t ON t.id = refobjid
    WHERE classid = 'pg_class'::regclass AND objid = rel.id AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i') LIMIT 1), ''), '', ''
  FROM rel WHERE what = 'sequence'
-- Relations.
UNION ALL SELECT 'O', what, shown, 'owner', pg_get_userbyid(relowner), '' FROM rel WHERE what <> 'type'
UNION ALL SELECT 'O', what, shown, 'grants', coalesce((SELECT string_agg(x::text, ', ' ORDER BY x::text)
    FROM unnest(coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner))) AS x), ''), ''
  FROM rel WHERE what <> 'type'
UNION ALL SELECT 'O', what, shown, 'persistence', CASE relpersistence WHEN 'u' THEN 'unlogged' ELSE relpersistence::text END, ''
  FROM rel WHERE relpersistence <> 'p'
UNION ALL SELECT 'O', what, shown, 'options', array_to_string(reloptions, ', '), '' FROM rel WHERE reloptions IS NOT NULL
UNION ALL SELECT 'O', what, shown, 'row security', CASE WHEN relforcerowsecurity THEN 'forced' ELSE 'on' END, ''
  FROM rel WHERE relrowsecurity OR relforcerowsecurity
UNION ALL SELECT 'O', what, shown, 'replica identity', relreplident::text, '' FROM rel WHERE relreplident NOT IN ('d', 'n')
UNION ALL SELECT 'O', what, shown, 'partitioned by', pg_get_partkeydef(id), '' FROM rel WHERE relkind = 'p'
UNION ALL SELECT 'O', what, shown, 'inherits', string_agg(format('%s %s', inhparent::regclass, pg_get_expr(relpartbound, id)), ', ' ORDER BY inhseqno), ''
  FROM rel JOIN pg_inherits ON inhrelid = id GROUP BY what, shown
UNION ALL SELECT 'O', what, shown, 'definition', pg_get_viewdef(id), '' FROM rel WHERE relkind IN ('v', 'm')
UNION ALL SELECT 'O', what, shown, 'comment', obj_description(id, 'pg_class'), '' FROM rel WHERE obj_description(id, 'pg_class') IS NOT NULL
UNION ALL SELECT 'O', what, shown, 'order of columns', string_agg(attname, ', ' ORDER BY attnum), '' FROM col WHERE what = 'table' GROUP BY what, shown
-- Columns.
UNION ALL SELECT 'O', 'column', named, property, value, part FROM col
  LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum JOIN pg_type AS t ON t.oid = atttypid
  CROSS JOIN LATERAL (VALUES
    ('type', format_type(atttypid, atttypmod)),
    ('not null', CASE WHEN attnotnull THEN 'yes' END),
    ('default', pg_get_expr(adbin, adrelid)),
    ('collation', CASE WHEN attcollation <> typcollation THEN attcollation::regcollation::text END),
    ('identity', nullif(attidentity::text, '')),
    ('computed', nullif(to_jsonb(col) ->> 'attgenerated', '')),
    ('storage', CASE WHEN attstorage <> typstorage THEN attstorage::text END),
    ('grants', (SELECT string_agg(x::text, ', ' ORDER BY x::text) FROM unnest(attacl) AS x)),
    ('comment', col_description(attrelid, attnum))) AS p (property, value)
  WHERE value IS NOT NULL AND (relkind IN ('r', 'p', 'f', 'c') OR property IN ('grants', 'comment') AND relkind <> 'S')
-- What belongs to a table.
UNION ALL SELECT 'O', 'constraint', format('%s.%s', shown, conname), 'definition', pg_get_constraintdef(c.oid), part
  FROM pg_constraint AS c JOIN rel ON rel.id = conrelid WHERE contype IN ('c', 'f', 'p', 'u', 'x')
UNION ALL SELECT 'O', 'index', i.prefix || c.relname, property, value, part
  FROM pg_index JOIN pg_class AS c ON c.oid = indexrelid JOIN ns AS i ON i.oid = c.relnamespace JOIN rel ON rel.id = indrelid
  CROSS JOIN LATERAL (VALUES ('definition', pg_get_indexdef(indexrelid)), ('valid', CASE WHEN NOT indisvalid THEN 'no' END),
    ('clustered', CASE WHEN indisclustered THEN 'yes' END), ('comment', obj_description(indexrelid, 'pg_class'))) AS p (property, value)
  WHERE value IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u', 'x'))
UNION ALL SELECT 'O', 'trigger', format('%s.%s', shown, tgname), property, value, part
  FROM pg_trigger AS t JOIN rel ON rel.id = tgrelid CROSS JOIN LATERAL (VALUES ('definition', pg_get_triggerdef(t.oid)),
    ('enabled', CASE WHEN tgenabled <> 'O' THEN tgenabled::text END)) AS p (property, value)
  WHERE NOT tgisinternal AND value IS NOT NULL
UNION ALL SELECT 'O', 'rule', format('%s.%s', shown, rulename), 'definition', pg_get_ruledef(r.oid), part
  FROM pg_rewrite AS r JOIN rel ON rel.id = ev_class WHERE rulename <> '_RETURN'
UNION ALL SELECT 'O', 'policy', format('%s.%s', shown, polname), 'definition',
    format('%s %s to %s using %s check %s', CASE WHEN polpermissive THEN 'permissive' ELSE 'restrictive' END, polcmd,
      (SELECT string_agg(CASE r WHEN 0 THEN 'public' ELSE pg_get_userbyid(r) END, ', ') FROM unnest(polroles) AS r),
      coalesce(pg_get_expr(polqual, polrelid), '-'), coalesce(pg_get_expr(polwithcheck, polrelid), '-')), part
  FROM pg_policy JOIN rel ON rel.id = polrelid
-- Functions.
UNION ALL SELECT 'O', what, shown, property, value, '' FROM proc CROSS JOIN LATERAL (VALUES
    ('definition', CASE WHEN prokind = 'a' THEN (SELECT format('%s %s %s', aggtransfn, aggfinalfn, agginitval) FROM pg_aggregate WHERE aggfnoid = proc.oid)
      ELSE pg_get_functiondef(proc.oid) END),
    ('owner', pg_get_userbyid(proowner)),
    ('grants', coalesce((SELECT string_agg(x::text, ', ' ORDER BY x::text) FROM unnest(coalesce(proacl, acldefault('f', proowner))) AS x), '')),
    ('comment', obj_description(proc.oid, 'pg_proc'))) AS p (property, value) WHERE value IS NOT NULL
-- Sequences; their values are read one by one.
UNION ALL SELECT 'O', 'sequence', shown, 'parameters', format('%s, start %s, increment %s, from %s to %s, cache %s%s',
    format_type(seqtypid, NULL), seqstart, seqincrement, seqmin, seqmax, seqcache, CASE WHEN seqcycle THEN ', cycle' ELSE '' END), ''
  FROM pg_sequence JOIN rel ON rel.id = seqrelid
UNION ALL SELECT 'O', 'sequence', rel.shown, 'owned by', col.named, ''
  FROM rel JOIN pg_depend ON classid = 'pg_class'::regclass AND objid = rel.id AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i')
  JOIN col ON col.attrelid = refobjid AND col.attnum = refobjsubid WHERE rel.what = 'sequence'
-- Schemas, types, extensions, publications.
UNION ALL SELECT 'O', 'schema', nspname, property, value, '' FROM ns CROSS JOIN LATERAL (VALUES
    ('owner', pg_get_userbyid(nspowner)),
    ('grants', coalesce((SELECT string_agg(x::text, ', ' ORDER BY x::text) FROM unnest(coalesce(nspacl, acldefault('n', nspowner))) AS x), '')),
    ('comment', obj_description(ns.oid, 'pg_namespace'))) AS p (property, value) WHERE value IS NOT NULL
UNION ALL SELECT 'O', 'type', shown, property, value, '' FROM typ CROSS JOIN LATERAL (VALUES
    ('labels', (SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = typ.oid)),
    ('base', CASE typtype WHEN 'd' THEN format_type(typbasetype, typtypmod)
       WHEN 'r' THEN (SELECT format_type(rngsubtype, NULL) FROM pg_range WHERE rngtypid = typ.oid) END),
    ('default', typdefault), ('not null', CASE WHEN typnotnull THEN 'yes' END),
    ('owner', pg_get_userbyid(typowner)),
    ('grants', coalesce((SELECT string_agg(x::text, ', ' ORDER BY x::text) FROM unnest(coalesce(typacl, acldefault('T', typowner))) AS x), '')),
    ('comment', obj_description(typ.oid, 'pg_type'))) AS p (property, value) WHERE value IS NOT NULL
UNION ALL SELECT 'O', 'constraint', format('%s.%s', shown, conname), 'definition', pg_get_constraintdef(c.oid), ''
  FROM pg_constraint AS c JOIN typ ON typ.oid = contypid AND contypid <> 0
UNION ALL SELECT 'O', 'extension', extname, property, value, '' FROM pg_extension CROSS JOIN LATERAL (VALUES
    ('version', extversion), ('schema', extnamespace::regnamespace::text)) AS p (property, value)
UNION ALL SELECT 'O', 'publication', pubname, 'definition', format('owner %s, all tables %s, insert %s, update %s, delete %s, tables %s',
    pg_get_userbyid(pubowner), puballtables, pubinsert, pubupdate, pubdelete,
    (SELECT string_agg(format('%s.%s', schemaname, tablename), ' ' ORDER BY 1) FROM pg_publication_tables AS t WHERE t.pubname = p.pubname)), ''
  FROM pg_publication AS p
-- Of the other kinds, that they are there.
UNION ALL SELECT 'O', i.type, i.identity, '', '', '' FROM (
    SELECT 'pg_operator'::regclass AS class, oid FROM pg_operator UNION ALL SELECT 'pg_opclass'::regclass, oid FROM pg_opclass
    UNION ALL SELECT 'pg_opfamily'::regclass, oid FROM pg_opfamily UNION ALL SELECT 'pg_cast'::regclass, oid FROM pg_cast
    UNION ALL SELECT 'pg_conversion'::regclass, oid FROM pg_conversion UNION ALL SELECT 'pg_collation'::regclass, oid FROM pg_collation
    UNION ALL SELECT 'pg_language'::regclass, oid FROM pg_language UNION ALL SELECT 'pg_transform'::regclass, oid FROM pg_transform
    UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid FROM pg_foreign_data_wrapper
    UNION ALL SELECT 'pg_foreign_server'::regclass, oid FROM pg_foreign_server UNION ALL SELECT 'pg_am'::regclass, oid FROM pg_am
    UNION ALL SELECT 'pg_ts_config'::regclass, oid FROM pg_ts_config UNION ALL SELECT 'pg_ts_dict'::regclass, oid FROM pg_ts_dict
    UNION ALL SELECT 'pg_ts_parser'::regclass, oid FROM pg_ts_parser UNION ALL SELECT 'pg_ts_template'::regclass, oid FROM pg_ts_template
    UNION ALL SELECT 'pg_event_trigger'::regclass, oid FROM pg_event_trigger
    UNION ALL SELECT 'pg_statistic_ext'::regclass, oid FROM pg_statistic_ext) AS x
  CROSS JOIN LATERAL pg_identify_object(class, oid, 0) AS i
  WHERE oid >= 16384 AND NOT EXISTS (SELECT 1 FROM member WHERE classid = class AND objid = oid)
-- Roles.
UNION ALL SELECT 'O', 'role', rolname, property, value, '' FROM pg_roles CROSS JOIN LATERAL (VALUES
    ('superuser', rolsuper::text), ('inherit', rolinherit::text), ('create role', rolcreaterole::text), ('create database', rolcreatedb::text),
    ('login', rolcanlogin::text), ('replication', rolreplication::text), ('bypass row security', rolbypassrls::text),
    ('connection limit', rolconnlimit::text), ('valid until', rolvaliduntil::text),
    ('comment', shobj_description(pg_roles.oid, 'pg_authid'))) AS p (property, value)
  WHERE rolname !~ '^pg_' AND value IS NOT NULL
UNION ALL SELECT 'O', 'role', pg_get_userbyid(member), 'member of ' || pg_get_userbyid(roleid),
    string_agg(format('admin %s, inherit %s', admin_option, coalesce(to_jsonb(m) ->> 'inherit_option', '-')), '; ' ORDER BY admin_option), ''
  FROM pg_auth_members AS m WHERE pg_get_userbyid(member) !~ '^pg_' GROUP BY member, roleid
{password}
UNION ALL SELECT 'O', 'default privileges', format('of %s in %s on %s', pg_get_userbyid(defaclrole),
    CASE defaclnamespace WHEN 0 THEN 'all schemas' ELSE 'schema ' || defaclnamespace::regnamespace END,
    CASE defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions' WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' ELSE defaclobjtype::text END),
    'grants', coalesce((SELECT string_agg(x::text, ', ' ORDER BY x::text) FROM unnest(defaclacl) AS x), ''), ''
  FROM pg_default_acl
-- Settings; of one that may be a secret, the hash.
UNION ALL SELECT 'O', CASE setrole WHEN 0 THEN '' ELSE 'role' END, CASE setrole WHEN 0 THEN '' ELSE pg_get_userbyid(setrole) END,
    'setting ' || name || CASE WHEN setrole = 0 AND setdatabase = 0 THEN ' of all databases' WHEN setrole <> 0 AND setdatabase <> 0 THEN ' in this database' ELSE '' END,
    CASE WHEN name ~* '(secret|passw|token|key)' THEN 'sha256:' || encode(sha256(convert_to(value, 'UTF8')), 'hex') ELSE value END, ''
  FROM setting
UNION ALL SELECT 'O', '', '', 'server setting ' || name, setting, '' FROM pg_settings WHERE sourcefile LIKE '%postgresql.auto.conf'
-- The database itself.
UNION ALL SELECT 'O', '', '', property, value, '' FROM pg_database AS d CROSS JOIN LATERAL (VALUES
    ('encoding', pg_encoding_to_char(encoding)::text), ('collation', datcollate::text), ('character type', datctype::text),
    ('locale provider', to_jsonb(d) ->> 'datlocprovider'), ('locale', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale')),
    ('owner', pg_get_userbyid(datdba)::text),
    ('grants', coalesce((SELECT string_agg(x::text, ', ' ORDER BY x::text) FROM unnest(coalesce(datacl, acldefault('d', datdba))) AS x), '')),
    ('connection limit', nullif(datconnlimit, -1)::text), ('comment', shobj_description(d.oid, 'pg_database'))) AS p (property, value)
  WHERE datname = current_database() AND value IS NOT NULL
-- Large objects.
UNION ALL SELECT 'O', 'large object', m.oid::text, property, value, '' FROM pg_largeobject_metadata AS m CROSS JOIN LATERAL (VALUES
    ('owner', pg_get_userbyid(lomowner)::text),
    ('grants', coalesce((SELECT string_agg(x::text, ', ' ORDER BY x::text) FROM unnest(coalesce(lomacl, acldefault('L', lomowner))) AS x), '')),
    ('content', {large_object})) AS p (property, value)
)
SELECT * FROM catalog
