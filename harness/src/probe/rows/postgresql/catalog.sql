-- What a PostgreSQL database is besides its rows, from version 11 on. Every line has six texts; the first says what the others are:
--   T  table: name in findings, name in SQL, whether it has rows ('rows' or '')
--   C  column: table in SQL, name, kind of its values, place in the primary key or 0, whether it is computed ('computed' or ''); by number
--   S  sequence: name in findings, name in SQL, the table that owns it
--   M  materialized view: name in findings, name in SQL, whether it is filled ('filled' or ''), its query
--   D  another database of the server: name
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
    relispopulated, reltablespace, relam, reloftype, reltoastrelid,
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
coll AS (SELECT oid AS id, format('%s.%s', collnamespace::regnamespace, quote_ident(collname)) AS shown FROM pg_collation),
setting AS (
  SELECT setdatabase, setrole, split_part(s, '=', 1) AS name, substr(s, strpos(s, '=') + 1) AS value
  FROM pg_db_role_setting CROSS JOIN LATERAL unnest(setconfig) AS s
  WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
),
-- What a column with the number of another object refers to, by the column's name.
refers (attribute, class) AS (VALUES
  ('oprleft', 'pg_type'), ('oprright', 'pg_type'), ('oprresult', 'pg_type'), ('oprcom', 'pg_operator'), ('oprnegate', 'pg_operator'),
  ('opcintype', 'pg_type'), ('opckeytype', 'pg_type'), ('opcmethod', 'pg_am'), ('opcfamily', 'pg_opfamily'), ('opfmethod', 'pg_am'),
  ('castsource', 'pg_type'), ('casttarget', 'pg_type'), ('castfunc', 'pg_proc'), ('lanplcallfoid', 'pg_proc'), ('laninline', 'pg_proc'),
  ('lanvalidator', 'pg_proc'), ('trftype', 'pg_type'), ('trflang', 'pg_language'), ('fdwhandler', 'pg_proc'), ('fdwvalidator', 'pg_proc'),
  ('srvfdw', 'pg_foreign_data_wrapper'), ('cfgparser', 'pg_ts_parser'), ('dicttemplate', 'pg_ts_template'), ('evtfoid', 'pg_proc'),
  ('aggtranstype', 'pg_type'), ('aggmtranstype', 'pg_type'), ('aggsortop', 'pg_operator'), ('rngsubtype', 'pg_type'),
  ('rngcollation', 'pg_collation'), ('rngsubopc', 'pg_opclass')),
-- Objects that are described by their row in the catalog.
kept (class, id, described, owner, acl) AS (
  SELECT 'pg_operator'::regclass::oid, x.oid, to_jsonb(x), oprowner, NULL::aclitem[] FROM pg_operator AS x
  UNION ALL SELECT 'pg_opclass'::regclass, x.oid, to_jsonb(x), opcowner, NULL FROM pg_opclass AS x
  UNION ALL SELECT 'pg_opfamily'::regclass, x.oid, to_jsonb(x) || jsonb_build_object(
      'operators', (SELECT string_agg(format('%s %s %s', amopstrategy, amopopr::regoperator, amoppurpose), ', ' ORDER BY amopstrategy, amopopr::regoperator::text)
        FROM pg_amop WHERE amopfamily = x.oid),
      'functions', (SELECT string_agg(format('%s %s', amprocnum, amproc::oid::regprocedure), ', ' ORDER BY amprocnum, amproc::oid::regprocedure::text)
        FROM pg_amproc WHERE amprocfamily = x.oid)), opfowner, NULL FROM pg_opfamily AS x
  UNION ALL SELECT 'pg_cast'::regclass, x.oid, to_jsonb(x), NULL, NULL FROM pg_cast AS x
  UNION ALL SELECT 'pg_conversion'::regclass, x.oid, to_jsonb(x), conowner, NULL FROM pg_conversion AS x
  UNION ALL SELECT 'pg_collation'::regclass, x.oid, to_jsonb(x) - 'collversion', collowner, NULL FROM pg_collation AS x
  UNION ALL SELECT 'pg_language'::regclass, x.oid, to_jsonb(x), lanowner, lanacl FROM pg_language AS x
  UNION ALL SELECT 'pg_transform'::regclass, x.oid, to_jsonb(x), NULL, NULL FROM pg_transform AS x
  UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, x.oid, to_jsonb(x), fdwowner, fdwacl FROM pg_foreign_data_wrapper AS x
  UNION ALL SELECT 'pg_foreign_server'::regclass, x.oid, to_jsonb(x), srvowner, srvacl FROM pg_foreign_server AS x
  UNION ALL SELECT 'pg_am'::regclass, x.oid, to_jsonb(x), NULL, NULL FROM pg_am AS x
  UNION ALL SELECT 'pg_ts_config'::regclass, x.oid, to_jsonb(x) || jsonb_build_object('mapping', (SELECT string_agg(format('%s %s', maptokentype,
      mapdict::regdictionary), ', ' ORDER BY maptokentype, mapseqno) FROM pg_ts_config_map WHERE mapcfg = x.oid)), cfgowner, NULL FROM pg_ts_config AS x
  UNION ALL SELECT 'pg_ts_dict'::regclass, x.oid, to_jsonb(x), dictowner, NULL FROM pg_ts_dict AS x
  UNION ALL SELECT 'pg_ts_parser'::regclass, x.oid, to_jsonb(x), NULL, NULL FROM pg_ts_parser AS x
  UNION ALL SELECT 'pg_ts_template'::regclass, x.oid, to_jsonb(x), NULL, NULL FROM pg_ts_template AS x
  UNION ALL SELECT 'pg_event_trigger'::regclass, x.oid, to_jsonb(x), evtowner, NULL FROM pg_event_trigger AS x
  UNION ALL SELECT 'pg_statistic_ext'::regclass, x.oid, jsonb_build_object('definition', pg_get_statisticsobjdef(x.oid), 'target', to_jsonb(x) -> 'stxstattarget'),
    stxowner, NULL FROM pg_statistic_ext AS x
  UNION ALL SELECT 'pg_aggregate'::regclass, aggfnoid::oid, to_jsonb(x) || jsonb_build_object('kind', aggkind, 'volatile', provolatile, 'parallel', proparallel,
    'strict', proisstrict), NULL, NULL FROM pg_aggregate AS x JOIN pg_proc AS p ON p.oid = aggfnoid
  UNION ALL SELECT 'pg_range'::regclass, rngtypid, to_jsonb(x) - 'rngmultitypid', NULL, NULL FROM pg_range AS x
),
described AS (
  SELECT class, id, owner, acl, (SELECT string_agg(format('%s %s', key, coalesce(to_object.identity,
      -- A dump has options in the order of their names.
      CASE WHEN key LIKE '%options' THEN (SELECT string_agg(o, ', ' ORDER BY o) FROM jsonb_array_elements_text(nullif(described -> key, 'null')) AS o) ELSE value END)),
      ', ' ORDER BY key)
    FROM jsonb_each_text(described) LEFT JOIN refers ON attribute = key
    LEFT JOIN LATERAL pg_identify_object(refers.class::regclass, CASE WHEN refers.class IS NOT NULL THEN value::oid END, 0) AS to_object ON value <> '0'
    WHERE key NOT IN ('oid', 'rngtypid') AND key NOT LIKE '%owner' AND key NOT LIKE '%acl' AND key NOT LIKE '%namespace') AS definition
  FROM kept WHERE id >= 16384 AND NOT EXISTS (SELECT 1 FROM member WHERE classid = class AND objid = id)
),
-- Grants on what PostgreSQL or an extension brought with it, where they are not as they came.
given AS (
  SELECT 'pg_proc'::regclass::oid AS class, oid AS id, 0 AS sub, proacl AS acl, acldefault('f', proowner) AS standard FROM pg_proc
  UNION ALL SELECT 'pg_class'::regclass, oid, 0, relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner) FROM pg_class
  UNION ALL SELECT 'pg_class'::regclass, attrelid, attnum, attacl, '{}' FROM pg_attribute WHERE attacl IS NOT NULL
  UNION ALL SELECT 'pg_namespace'::regclass, oid, 0, nspacl, acldefault('n', nspowner) FROM pg_namespace WHERE nspname <> 'public'
  UNION ALL SELECT 'pg_language'::regclass, oid, 0, lanacl, acldefault('l', lanowner) FROM pg_language
  UNION ALL SELECT 'pg_type'::regclass, oid, 0, typacl, acldefault('T', typowner) FROM pg_type
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
UNION ALL SELECT 'M', shown, sql, CASE WHEN relispopulated THEN 'filled' ELSE '' END, rtrim(pg_get_viewdef(id), '; '), '' FROM rel WHERE relkind = 'm'
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
UNION ALL SELECT 'O', what, shown, property, value, '' FROM rel CROSS JOIN LATERAL (VALUES
    ('replica identity', CASE WHEN relreplident NOT IN ('d', 'n') THEN concat_ws(' ', relreplident,
      (SELECT relname FROM pg_index JOIN pg_class AS c ON c.oid = indexrelid WHERE indrelid = id AND indisreplident)) END),
    ('tablespace', (SELECT spcname::text FROM pg_tablespace WHERE pg_tablespace.oid = reltablespace)),
    ('access method', (SELECT amname::text FROM pg_am WHERE pg_am.oid = relam AND amname <> 'heap')),
    ('of type', CASE WHEN reloftype <> 0 THEN reloftype::regtype::text END),
    ('options of toast', (SELECT array_to_string(t.reloptions, ', ') FROM pg_class AS t WHERE t.oid = rel.reltoastrelid)),
    ('server', (SELECT format('%s (%s)', srvname, (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(ftoptions) AS o)) FROM pg_foreign_table JOIN pg_foreign_server AS s ON s.oid = ftserver
      WHERE ftrelid = id))) AS p (property, value) WHERE value IS NOT NULL
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
    ('collation', CASE WHEN attcollation <> typcollation THEN (SELECT shown FROM coll WHERE id = attcollation) END),
    ('identity', nullif(attidentity::text, '')),
    ('computed', nullif(to_jsonb(col) ->> 'attgenerated', '')),
    ('storage', CASE WHEN attstorage <> typstorage THEN attstorage::text END),
    -- The server keeps some of its own among them.
    ('options', (SELECT string_agg(o, ', ') FROM unnest(attoptions) AS o WHERE o !~ '^pg_')),
    ('server options', (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(attfdwoptions) AS o)),
    ('compression', nullif(to_jsonb(col) ->> 'attcompression', '')),
    ('statistics target', nullif(attstattarget, -1)::text),
    ('grants', (SELECT string_agg(x::text, ', ' ORDER BY x::text) FROM unnest(attacl) AS x)),
    ('comment', col_description(attrelid, attnum))) AS p (property, value)
  WHERE value IS NOT NULL AND (relkind IN ('r', 'p', 'f', 'c') OR property IN ('default', 'grants', 'comment') AND relkind <> 'S')
-- What belongs to a table.
UNION ALL SELECT 'O', 'constraint', format('%s.%s', shown, conname), property, value, part
  FROM pg_constraint AS c JOIN rel ON rel.id = conrelid LEFT JOIN pg_index ON indexrelid = conindid AND contype IN ('p', 'u', 'x')
  CROSS JOIN LATERAL (VALUES ('definition', pg_get_constraintdef(c.oid)), ('valid', CASE WHEN NOT indisvalid THEN 'no' END),
    ('clustered', CASE WHEN indisclustered THEN 'yes' END), ('comment', obj_description(c.oid, 'pg_constraint')),
    ('comment of index', obj_description(indexrelid, 'pg_class')),
    ('enforced', (SELECT 'not on ' || string_agg(DISTINCT format('%s (%s)', tgrelid::regclass, tgenabled), ', ') FROM pg_trigger
      WHERE tgconstraint = c.oid AND tgisinternal AND tgenabled <> 'O'))) AS p (property, value)
  WHERE contype IN ('c', 'f', 'p', 'u', 'x') AND value IS NOT NULL
UNION ALL SELECT 'O', 'index', i.prefix || c.relname, property, value, part
  FROM pg_index JOIN pg_class AS c ON c.oid = indexrelid JOIN ns AS i ON i.oid = c.relnamespace JOIN rel ON rel.id = indrelid
  CROSS JOIN LATERAL (VALUES ('definition', pg_get_indexdef(indexrelid)), ('valid', CASE WHEN NOT indisvalid THEN 'no' END),
    ('clustered', CASE WHEN indisclustered THEN 'yes' END), ('comment', obj_description(indexrelid, 'pg_class')),
    ('statistics targets', (SELECT string_agg(format('%s %s', attnum, attstattarget), ', ' ORDER BY attnum) FROM pg_attribute
      WHERE attrelid = indexrelid AND attstattarget >= 0))) AS p (property, value)
  WHERE value IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u', 'x'))
UNION ALL SELECT 'O', 'trigger', format('%s.%s', shown, tgname), property, value, part
  FROM pg_trigger AS t JOIN rel ON rel.id = tgrelid CROSS JOIN LATERAL (VALUES ('definition', pg_get_triggerdef(t.oid)),
    ('enabled', CASE WHEN tgenabled <> 'O' THEN tgenabled::text END), ('comment', obj_description(t.oid, 'pg_trigger'))) AS p (property, value)
  WHERE NOT tgisinternal AND value IS NOT NULL
UNION ALL SELECT 'O', 'rule', format('%s.%s', shown, rulename), property, value, part
  FROM pg_rewrite AS r JOIN rel ON rel.id = ev_class CROSS JOIN LATERAL (VALUES ('definition', pg_get_ruledef(r.oid)),
    ('enabled', CASE WHEN ev_enabled <> 'O' THEN ev_enabled::text END), ('comment', obj_description(r.oid, 'pg_rewrite'))) AS p (property, value)
  WHERE rulename <> '_RETURN' AND value IS NOT NULL
UNION ALL SELECT 'O', 'policy', format('%s.%s', shown, polname), property, value, part
  FROM pg_policy AS y JOIN rel ON rel.id = polrelid CROSS JOIN LATERAL (VALUES
    ('definition', format('%s %s to %s using %s check %s', CASE WHEN polpermissive THEN 'permissive' ELSE 'restrictive' END, polcmd,
      (SELECT string_agg(name, ', ' ORDER BY name) FROM unnest(polroles) AS r
        CROSS JOIN LATERAL (SELECT CASE r WHEN 0 THEN 'public' ELSE pg_get_userbyid(r)::text END AS name) AS named),
      coalesce(pg_get_expr(polqual, polrelid), '-'), coalesce(pg_get_expr(polwithcheck, polrelid), '-'))),
    ('comment', obj_description(y.oid, 'pg_policy'))) AS p (property, value) WHERE value IS NOT NULL
-- Functions.
UNION ALL SELECT 'O', what, shown, property, value, '' FROM proc CROSS JOIN LATERAL (VALUES
    ('definition', CASE WHEN prokind = 'a' THEN (SELECT definition FROM described WHERE class = 'pg_aggregate'::regclass AND id = proc.oid)
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
    ('base', CASE typtype WHEN 'd' THEN format_type(typbasetype, typtypmod) WHEN 'b' THEN concat_ws(' ', typinput, typoutput, typlen, typalign, typstorage)
       WHEN 'r' THEN (SELECT definition FROM described WHERE class = 'pg_range'::regclass AND id = typ.oid) END),
    ('collation', CASE WHEN typtype = 'd' THEN (SELECT shown FROM coll WHERE id = typcollation) END),
    ('default', typdefault), ('not null', CASE WHEN typnotnull THEN 'yes' END),
    ('owner', pg_get_userbyid(typowner)),
    ('grants', coalesce((SELECT string_agg(x::text, ', ' ORDER BY x::text) FROM unnest(coalesce(typacl, acldefault('T', typowner))) AS x), '')),
    ('comment', obj_description(typ.oid, 'pg_type'))) AS p (property, value) WHERE value IS NOT NULL
UNION ALL SELECT 'O', 'constraint', format('%s.%s', shown, conname), property, value, ''
  FROM pg_constraint AS c JOIN typ ON typ.oid = contypid AND contypid <> 0 CROSS JOIN LATERAL (VALUES
    ('definition', pg_get_constraintdef(c.oid)), ('comment', obj_description(c.oid, 'pg_constraint'))) AS p (property, value) WHERE value IS NOT NULL
UNION ALL SELECT 'O', 'extension', extname, property, value, '' FROM pg_extension AS e CROSS JOIN LATERAL (VALUES
    ('functions', (SELECT format('%s, sha256:%s', count(*), encode(sha256(convert_to(string_agg(concat_ws(' ', x.oid::regprocedure, prosrc, probin, prokind,
        prosecdef, proleakproof, proisstrict, proretset, provolatile, proparallel, procost, prorows, array_to_string(proconfig, ' ')), '; '
        ORDER BY x.oid::regprocedure::text), 'UTF8')), 'hex'))
      FROM pg_depend JOIN pg_proc AS x ON x.oid = objid WHERE classid = 'pg_proc'::regclass AND deptype = 'e' AND refobjid = e.oid HAVING count(*) > 0)),
    ('version', extversion), ('schema', extnamespace::regnamespace::text), ('comment', obj_description(e.oid, 'pg_extension'))) AS p (property, value)
  WHERE value IS NOT NULL
UNION ALL SELECT 'O', 'publication', pubname, property, value, '' FROM pg_publication AS b CROSS JOIN LATERAL (VALUES
    ('definition', format('all tables %s, insert %s, update %s, delete %s, truncate %s, via root %s, tables %s', puballtables, pubinsert, pubupdate, pubdelete,
      pubtruncate, coalesce(to_jsonb(b) ->> 'pubviaroot', '-'),
      (SELECT string_agg((to_jsonb(t) - 'pubname')::text, ' ' ORDER BY schemaname, tablename) FROM pg_publication_tables AS t WHERE t.pubname = b.pubname))),
    ('owner', pg_get_userbyid(pubowner)::text), ('comment', obj_description(b.oid, 'pg_publication'))) AS p (property, value) WHERE value IS NOT NULL
UNION ALL SELECT 'O', 'subscription', subname, property, value, '' FROM pg_subscription AS b CROSS JOIN LATERAL (VALUES
    ('definition', format('enabled %s, slot %s, publications %s', subenabled, subslotname, array_to_string(subpublications, ', '))),
    ('owner', pg_get_userbyid(subowner)::text)) AS p (property, value) WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
-- Of the other kinds, what the catalog says of them.
UNION ALL SELECT 'O', i.type, i.identity, property, value, '' FROM described CROSS JOIN LATERAL pg_identify_object(class, id, 0) AS i
  CROSS JOIN LATERAL (VALUES ('definition', coalesce(definition, '')), ('owner', CASE WHEN owner IS NOT NULL THEN pg_get_userbyid(owner)::text END),
    ('grants', (SELECT string_agg(x::text, ', ' ORDER BY x::text) FROM unnest(acl) AS x)),
    ('comment', obj_description(id, class::regclass::text))) AS p (property, value)
  WHERE class NOT IN ('pg_aggregate'::regclass, 'pg_range'::regclass) AND value IS NOT NULL
UNION ALL SELECT 'O', 'user mapping', format('of %s for %s', srvname, usename), 'options', 'sha256:' || encode(sha256(convert_to(coalesce((SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(umoptions) AS o), ''), 'UTF8')), 'hex'), ''
  FROM pg_user_mappings
UNION ALL SELECT 'O', i.type, i.identity, 'grants', coalesce((SELECT string_agg(x::text, ', ' ORDER BY x::text) FROM unnest(coalesce(acl, standard)) AS x), 'none'), ''
  FROM given LEFT JOIN pg_init_privs AS first ON first.classoid = class AND first.objoid = id AND first.objsubid = sub
  CROSS JOIN LATERAL pg_identify_object(class, id, sub) AS i
  WHERE (id < 16384 OR EXISTS (SELECT 1 FROM member WHERE classid = class AND objid = id) AND class <> 'pg_class'::regclass)
    AND ARRAY(SELECT x::text FROM unnest(coalesce(acl, standard)) AS x ORDER BY 1) <> ARRAY(SELECT x::text FROM unnest(coalesce(initprivs, standard)) AS x ORDER BY 1)
UNION ALL SELECT 'O', 'security label', format('of %s %s', objtype, objname), provider, label, '' FROM pg_seclabels
UNION ALL SELECT 'O', 'prepared transaction', gid, 'owner', owner::text, '' FROM pg_prepared_xacts WHERE database = current_database()
{parameters}
-- Roles.
UNION ALL SELECT 'O', 'role', rolname, property, value, '' FROM pg_roles CROSS JOIN LATERAL (VALUES
    ('superuser', rolsuper::text), ('inherit', rolinherit::text), ('create role', rolcreaterole::text), ('create database', rolcreatedb::text),
    ('login', rolcanlogin::text), ('replication', rolreplication::text), ('bypass row security', rolbypassrls::text),
    ('connection limit', rolconnlimit::text), ('valid until', rolvaliduntil::text),
    ('comment', shobj_description(pg_roles.oid, 'pg_authid'))) AS p (property, value)
  WHERE rolname !~ '^pg_' AND value IS NOT NULL
UNION ALL SELECT 'O', 'role', pg_get_userbyid(member), 'member of ' || pg_get_userbyid(roleid),
    string_agg(format('admin %s, inherit %s, set %s', admin_option, coalesce(to_jsonb(m) ->> 'inherit_option', '-'), coalesce(to_jsonb(m) ->> 'set_option', '-')), '; ' ORDER BY admin_option), ''
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
UNION ALL SELECT 'O', '', '', 'server setting ' || name, setting, '' FROM pg_settings WHERE source = 'configuration file'
{files}
-- What others still read of the changes: it is in no dump. A subscription makes its own origin, with a number in its name.
UNION ALL SELECT 'O', 'replication slot', slot_name, 'plugin', coalesce(plugin, ''), '' FROM pg_replication_slots
  WHERE slot_type = 'logical' AND database = current_database()
UNION ALL SELECT 'O', 'replication origin', roname, '', '', '' FROM pg_replication_origin
  WHERE roname !~ '^pg_[0-9]+$'
{access}
-- The database itself.
UNION ALL SELECT 'O', '', '', property, value, '' FROM pg_database AS d CROSS JOIN LATERAL (VALUES
    ('encoding', pg_encoding_to_char(encoding)::text), ('collation', datcollate::text), ('character type', datctype::text),
    ('locale provider', to_jsonb(d) ->> 'datlocprovider'), ('locale', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale')),
    ('owner', pg_get_userbyid(datdba)::text),
    ('grants', coalesce((SELECT string_agg(x::text, ', ' ORDER BY x::text) FROM unnest(coalesce(datacl, acldefault('d', datdba))) AS x), '')),
    ('rules of locale', to_jsonb(d) ->> 'daticurules'), ('template', CASE WHEN datistemplate THEN 'yes' END),
    ('tablespace', (SELECT nullif(spcname::text, 'pg_default') FROM pg_tablespace AS s WHERE s.oid = dattablespace)),
    ('connection limit', nullif(datconnlimit, -1)::text), ('comment', shobj_description(d.oid, 'pg_database'))) AS p (property, value)
  WHERE datname = current_database() AND value IS NOT NULL
-- Large objects.
UNION ALL SELECT 'O', 'large object', m.oid::text, property, value, '' FROM pg_largeobject_metadata AS m CROSS JOIN LATERAL (VALUES
    ('owner', pg_get_userbyid(lomowner)::text),
    ('grants', coalesce((SELECT string_agg(x::text, ', ' ORDER BY x::text) FROM unnest(coalesce(lomacl, acldefault('L', lomowner))) AS x), '')),
    ('comment', obj_description(m.oid, 'pg_largeobject')), ('content', {large_object})) AS p (property, value) WHERE value IS NOT NULL
-- What else is on the server.
UNION ALL SELECT 'O', 'tablespace', spcname, property, value, '' FROM pg_tablespace AS s CROSS JOIN LATERAL (VALUES
    ('owner', pg_get_userbyid(spcowner)::text), ('grants', (SELECT string_agg(x::text, ', ' ORDER BY x::text) FROM unnest(spcacl) AS x)),
    ('options', array_to_string(spcoptions, ', ')), ('location', pg_tablespace_location(s.oid))) AS p (property, value)
  WHERE spcname !~ '^pg_' AND value IS NOT NULL
UNION ALL SELECT 'D', datname, '', '', '', '' FROM pg_database
  WHERE datname NOT IN (current_database(), 'postgres', 'template0', 'template1') AND datallowconn
    -- Those that every server has are told where somebody made a table in them: the files of the server's own tables have low numbers,
    -- until somebody rewrites them (VACUUM FULL).
    OR datname IN ('postgres', 'template1') AND datname <> current_database()
      AND CASE WHEN has_function_privilege('pg_ls_dir(text, boolean, boolean)', 'EXECUTE') AND has_function_privilege('pg_stat_file(text, boolean)', 'EXECUTE')
        THEN EXISTS (SELECT 1 FROM pg_ls_dir(format('base/%s', oid), true, false) AS file WHERE CASE WHEN file ~ '^[0-9]+$' THEN file::bigint >= 16384
          AND (pg_stat_file(format('base/%s/%s', oid, file), true)).size > 0 END) END
)
SELECT * FROM catalog
