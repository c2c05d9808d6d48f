CREATE TABLE pg.pg_namespace AS
  SELECT oid, name AS nspname, 10::UINTEGER AS nspowner, NULL::VARCHAR[] AS nspacl FROM raw.schemas;

CREATE TABLE pg.pg_database AS
  SELECT 16000::UINTEGER AS oid, name AS datname, 10::UINTEGER AS datdba, 6 AS encoding, 'c' AS datlocprovider,
    false AS datistemplate, true AS datallowconn, -1 AS datconnlimit, 0::UINTEGER AS datfrozenxid, 1::UINTEGER AS datminmxid,
    1663::UINTEGER AS dattablespace, 'C.UTF-8' AS datcollate, 'C.UTF-8' AS datctype, NULL::VARCHAR AS daticulocale,
    NULL::VARCHAR AS datcollversion, NULL::VARCHAR[] AS datacl, false AS dathasloginevt FROM raw.database;

CREATE TABLE pg.pg_roles AS
  SELECT 10::UINTEGER AS oid, 'imputedb' AS rolname, false AS rolsuper, true AS rolinherit, false AS rolcreaterole,
    false AS rolcreatedb, true AS rolcanlogin, false AS rolreplication, -1 AS rolconnlimit, NULL::VARCHAR AS rolpassword,
    NULL::TIMESTAMPTZ AS rolvaliduntil, false AS rolbypassrls, NULL::VARCHAR[] AS rolconfig;

CREATE VIEW pg.pg_authid AS SELECT * FROM pg.pg_roles;

CREATE VIEW pg.pg_user AS
  SELECT rolname AS usename, oid AS usesysid, rolcreatedb AS usecreatedb, rolsuper AS usesuper, rolreplication AS userepl,
    rolbypassrls AS usebypassrls, rolpassword AS passwd, rolvaliduntil AS valuntil, rolconfig AS useconfig FROM pg.pg_roles;

CREATE TABLE pg.pg_group (groname VARCHAR, grosysid UINTEGER, grolist UINTEGER[]);

CREATE TABLE pg.pg_tablespace AS
  SELECT * FROM (VALUES (1663::UINTEGER, 'pg_default', 10::UINTEGER, NULL::VARCHAR[], NULL::VARCHAR[]))
    AS t(oid, spcname, spcowner, spcacl, spcoptions);

CREATE TABLE pg.pg_am AS
  SELECT * FROM (VALUES (2::UINTEGER, 'heap', 'heap_tableam_handler', 't'), (403::UINTEGER, 'btree', 'bthandler', 'i'))
    AS t(oid, amname, amhandler, amtype);

CREATE TABLE pg.pg_language AS
  SELECT * FROM (VALUES (14::UINTEGER, 'sql', 10::UINTEGER, false, true)) AS t(oid, lanname, lanowner, lanispl, lanpltrusted);

CREATE TABLE pg.pg_collation AS
  SELECT * FROM (VALUES (100::UINTEGER, 'default', 11::UINTEGER, 10::UINTEGER, 'd', true, -1, NULL, NULL, NULL, NULL),
    (950::UINTEGER, 'C', 11::UINTEGER, 10::UINTEGER, 'c', true, -1, 'C', 'C', NULL, NULL))
    AS t(oid, collname, collnamespace, collowner, collprovider, collisdeterministic, collencoding, collcollate, collctype,
      colliculocale, collversion);

CREATE TABLE pg.pg_timezone_names AS
  SELECT 'UTC' AS name, 'UTC' AS abbrev, INTERVAL 0 SECOND AS utc_offset, false AS is_dst;

CREATE TABLE pg.pg_type AS
  SELECT oid, name AS typname, 11::UINTEGER AS typnamespace, 10::UINTEGER AS typowner, len AS typlen, len IN (1, 2, 4, 8) AS typbyval,
    kind AS typtype, category AS typcategory, false AS typispreferred, true AS typisdefined, ',' AS typdelim,
    0::UINTEGER AS typrelid, '-' AS typsubscript, CASE name WHEN 'int2vector' THEN 21 WHEN 'oidvector' THEN 26 ELSE 0 END::UINTEGER AS typelem, array_oid AS typarray,
    name || 'in' AS typinput, name || 'out' AS typoutput, name || 'recv' AS typreceive, name || 'send' AS typsend,
    '-' AS typmodin, '-' AS typmodout, '-' AS typanalyze, 'i' AS typalign, 'p' AS typstorage, false AS typnotnull,
    0::UINTEGER AS typbasetype, -1 AS typtypmod, 0 AS typndims, CASE WHEN category = 'S' THEN 100 ELSE 0 END::UINTEGER AS typcollation,
    NULL::VARCHAR AS typdefaultbin, NULL::VARCHAR AS typdefault, NULL::VARCHAR[] AS typacl
  FROM raw.types
  UNION ALL
  SELECT array_oid, '_' || name, 11, 10, -1, false, 'b', 'A', false, true, ',', 0, 'array_subscript_handler', oid, 0,
    'array_in', 'array_out', 'array_recv', 'array_send', '-', '-', '-', 'i', 'x', false, 0, -1, 0,
    CASE WHEN category = 'S' THEN 100 ELSE 0 END, NULL, NULL, NULL
  FROM raw.types WHERE array_oid > 0
  UNION ALL
  SELECT oid + 500000, name, schema_oid, 10, -1, false, 'c', 'C', false, true, ',', oid, '-', 0, 0,
    'record_in', 'record_out', 'record_recv', 'record_send', '-', '-', '-', 'd', 'x', false, 0, -1, 0, 0, NULL, NULL, NULL
  FROM raw.relations WHERE schema_oid <> 11 AND kind IN ('r', 'v');

CREATE TABLE pg.pg_class AS
  SELECT oid, name AS relname, schema_oid AS relnamespace, CASE WHEN schema_oid <> 11 AND kind <> 'i' THEN oid + 500000 ELSE 0 END AS reltype,
    0::UINTEGER AS reloftype, 10::UINTEGER AS relowner, CASE kind WHEN 'r' THEN 2 WHEN 'i' THEN 403 ELSE 0 END::UINTEGER AS relam, 0::UINTEGER AS relfilenode,
    0::UINTEGER AS reltablespace, 0 AS relpages, rows::FLOAT AS reltuples, 0 AS relallvisible, 0::UINTEGER AS reltoastrelid,
    has_index AS relhasindex, false AS relisshared, 'p' AS relpersistence, kind AS relkind, natts::SMALLINT AS relnatts,
    checks::SMALLINT AS relchecks, false AS relhasoids, kind = 'v' AS relhasrules, has_references AS relhastriggers,
    false AS relhassubclass, false AS relrowsecurity, false AS relforcerowsecurity, true AS relispopulated, 'd' AS relreplident,
    false AS relispartition, 0::UINTEGER AS relrewrite, 0::UINTEGER AS relfrozenxid, 1::UINTEGER AS relminmxid,
    NULL::VARCHAR[] AS relacl, NULL::VARCHAR[] AS reloptions, NULL::VARCHAR AS relpartbound, 0::UINTEGER AS xmin
  FROM raw.relations;

CREATE TABLE pg.pg_attribute AS
  SELECT relation AS attrelid, name AS attname, type_oid AS atttypid, -1 AS attstattarget,
    coalesce(t.len, -1)::SMALLINT AS attlen, number::SMALLINT AS attnum, 0 AS attndims, -1 AS attcacheoff, modifier AS atttypmod,
    coalesce(t.len, -1) IN (1, 2, 4, 8) AS attbyval, 'i' AS attalign, 'p' AS attstorage, '' AS attcompression,
    not_null AS attnotnull, c.default_text IS NOT NULL AS atthasdef, false AS atthasmissing, '' AS attidentity, '' AS attgenerated,
    false AS attisdropped, true AS attislocal, 0 AS attinhcount,
    CASE WHEN type_oid IN (25, 1009) THEN 100 ELSE 0 END::UINTEGER AS attcollation, NULL::VARCHAR[] AS attacl, NULL::VARCHAR[] AS attoptions,
    NULL::VARCHAR[] AS attfdwoptions, NULL::VARCHAR AS attmissingval
  FROM raw.columns c LEFT JOIN (SELECT oid AS type_of, len FROM raw.types) t ON t.type_of = c.type_oid;

CREATE TABLE pg.pg_attrdef AS
  SELECT 600000 + row_number() OVER (ORDER BY relation, number) AS oid, relation AS adrelid, number::SMALLINT AS adnum, default_text AS adbin
  FROM raw.columns WHERE default_text IS NOT NULL;

CREATE TABLE pg.pg_constraint AS
  SELECT oid, name AS conname, schema_oid AS connamespace, kind AS contype, false AS condeferrable, false AS condeferred,
    true AS convalidated, relation AS conrelid, 0::UINTEGER AS contypid, index_oid AS conindid, 0::UINTEGER AS conparentid,
    target AS confrelid, CASE kind WHEN 'f' THEN 'a' ELSE ' ' END AS confupdtype, CASE kind WHEN 'f' THEN 'a' ELSE ' ' END AS confdeltype,
    CASE kind WHEN 'f' THEN 's' ELSE ' ' END AS confmatchtype, true AS conislocal, 0 AS coninhcount, true AS connoinherit,
    keys::SMALLINT[] AS conkey, target_keys::SMALLINT[] AS confkey, NULL::UINTEGER[] AS conpfeqop, NULL::UINTEGER[] AS conexclop,
    definition AS conbin
  FROM raw.constraints;

CREATE TABLE pg.pg_index AS
  SELECT index_oid AS indexrelid, relation AS indrelid, len(keys)::SMALLINT AS indnatts, len(keys)::SMALLINT AS indnkeyatts,
    true AS indisunique, false AS indnullsnotdistinct, kind = 'p' AS indisprimary, false AS indisexclusion, true AS indimmediate, false AS indisclustered,
    true AS indisvalid, false AS indcheckxmin, true AS indisready, true AS indislive, false AS indisreplident,
    keys::USMALLINT[] AS indkey, list_transform(keys, lambda k: 0::UINTEGER) AS indcollation, list_transform(keys, lambda k: 0::UINTEGER) AS indclass,
    list_transform(keys, lambda k: 0::USMALLINT) AS indoption, NULL::VARCHAR AS indexprs, NULL::VARCHAR AS indpred
  FROM raw.constraints WHERE index_oid > 0;

CREATE TABLE pg.pg_description AS
  SELECT oid AS objoid, 1259::UINTEGER AS classoid, 0 AS objsubid, remark AS description FROM raw.relations WHERE remark IS NOT NULL
  UNION ALL SELECT relation, 1259, number, remark FROM raw.columns WHERE remark IS NOT NULL;

CREATE TABLE pg.pg_proc AS
  SELECT oid, name AS proname, 2200::UINTEGER AS pronamespace, 10::UINTEGER AS proowner, 14::UINTEGER AS prolang, 1::FLOAT AS procost,
    CASE WHEN returns_set THEN 1000 ELSE 0 END::FLOAT AS prorows, 0::UINTEGER AS provariadic, '-' AS prosupport, 'f' AS prokind, false AS prosecdef,
    false AS proleakproof, false AS proisstrict, returns_set AS proretset, 's' AS provolatile, 's' AS proparallel,
    len(arguments)::SMALLINT AS pronargs, 0::SMALLINT AS pronargdefaults, CASE WHEN returns_set THEN 2249 ELSE 2276 END::UINTEGER AS prorettype,
    list_transform(arguments, lambda a: 2276::UINTEGER) AS proargtypes, NULL::UINTEGER[] AS proallargtypes, NULL::VARCHAR[] AS proargmodes,
    arguments AS proargnames, NULL::VARCHAR AS proargdefaults, definition AS prosrc, NULL::VARCHAR AS probin,
    NULL::VARCHAR AS prosqlbody, NULL::VARCHAR[] AS proconfig, NULL::VARCHAR[] AS proacl
  FROM raw.functions;

CREATE TABLE pg.pg_settings AS
  SELECT name, setting, NULL::VARCHAR AS unit, 'imputedb' AS category, '' AS short_desc, NULL::VARCHAR AS extra_desc,
    'user' AS context, 'string' AS vartype, 'default' AS source, NULL::VARCHAR AS min_val, NULL::VARCHAR AS max_val, NULL::VARCHAR[] AS enumvals,
    setting AS boot_val, setting AS reset_val, NULL::VARCHAR AS sourcefile, NULL::INTEGER AS sourceline, false AS pending_restart
  FROM raw.settings;

CREATE VIEW pg.pg_tables AS
  SELECT n.nspname AS schemaname, c.relname AS tablename, 'imputedb' AS tableowner, NULL::VARCHAR AS tablespace, c.relhasindex AS hasindexes,
    false AS hasrules, false AS hastriggers, false AS rowsecurity
  FROM pg.pg_class c JOIN pg.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r';

CREATE VIEW pg.pg_views AS
  SELECT s.name AS schemaname, r.name AS viewname, 'imputedb' AS viewowner, r.definition
  FROM raw.relations r JOIN raw.schemas s ON s.oid = r.schema_oid WHERE r.kind = 'v';

CREATE VIEW pg.pg_indexes AS
  SELECT n.nspname AS schemaname, t.relname AS tablename, c.relname AS indexname, NULL::VARCHAR AS tablespace, NULL::VARCHAR AS indexdef
  FROM pg.pg_index i JOIN pg.pg_class c ON c.oid = i.indexrelid JOIN pg.pg_class t ON t.oid = i.indrelid
    JOIN pg.pg_namespace n ON n.oid = t.relnamespace;

CREATE VIEW pg.pg_stat_user_tables AS
  SELECT c.oid AS relid, n.nspname AS schemaname, c.relname, 0::BIGINT AS seq_scan, 0::BIGINT AS idx_scan, c.reltuples::BIGINT AS n_live_tup,
    0::BIGINT AS n_dead_tup, NULL::TIMESTAMPTZ AS last_vacuum, NULL::TIMESTAMPTZ AS last_analyze
  FROM pg.pg_class c JOIN pg.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema');

CREATE TABLE info.schemata AS
  SELECT d.name AS catalog_name, s.name AS schema_name, 'imputedb' AS schema_owner, NULL::VARCHAR AS default_character_set_catalog,
    NULL::VARCHAR AS default_character_set_schema, NULL::VARCHAR AS default_character_set_name, NULL::VARCHAR AS sql_path
  FROM raw.schemas s, raw.database d;

CREATE VIEW info.tables AS
  SELECT d.name AS table_catalog, s.name AS table_schema, r.name AS table_name,
    CASE r.kind WHEN 'r' THEN 'BASE TABLE' ELSE 'VIEW' END AS table_type, NULL::VARCHAR AS self_referencing_column_name,
    NULL::VARCHAR AS reference_generation, NULL::VARCHAR AS user_defined_type_catalog, NULL::VARCHAR AS user_defined_type_schema,
    NULL::VARCHAR AS user_defined_type_name, 'NO' AS is_insertable_into, 'NO' AS is_typed, NULL::VARCHAR AS commit_action
  FROM raw.relations r JOIN raw.schemas s ON s.oid = r.schema_oid, raw.database d WHERE r.kind IN ('r', 'v');

CREATE VIEW info.views AS
  SELECT d.name AS table_catalog, s.name AS table_schema, r.name AS table_name, r.definition AS view_definition, 'NONE' AS check_option,
    'NO' AS is_updatable, 'NO' AS is_insertable_into
  FROM raw.relations r JOIN raw.schemas s ON s.oid = r.schema_oid, raw.database d WHERE r.kind = 'v';

CREATE VIEW info.columns AS
  SELECT d.name AS table_catalog, s.name AS table_schema, r.name AS table_name, c.name AS column_name, c.number::INTEGER AS ordinal_position,
    c.default_text AS column_default, CASE WHEN c.not_null THEN 'NO' ELSE 'YES' END AS is_nullable, c.words AS data_type,
    NULL::INTEGER AS character_maximum_length, NULL::INTEGER AS character_octet_length,
    CASE WHEN c.modifier > 0 THEN (c.modifier - 4) >> 16 WHEN c.type_oid = 21 THEN 16 WHEN c.type_oid = 23 THEN 32 WHEN c.type_oid = 20 THEN 64
      WHEN c.type_oid = 701 THEN 53 WHEN c.type_oid = 700 THEN 24 END AS numeric_precision,
    CASE WHEN c.type_oid IN (700, 701, 20, 21, 23) THEN 2 WHEN c.type_oid = 1700 THEN 10 END AS numeric_precision_radix,
    CASE WHEN c.modifier > 0 THEN (c.modifier - 4) & 65535 WHEN c.type_oid IN (20, 21, 23) THEN 0 END AS numeric_scale,
    CASE WHEN c.type_oid IN (1083, 1114, 1184, 1186) THEN 6 WHEN c.type_oid = 1082 THEN 0 END AS datetime_precision, NULL::VARCHAR AS interval_type,
    NULL::VARCHAR AS character_set_catalog, NULL::VARCHAR AS character_set_schema, NULL::VARCHAR AS character_set_name,
    NULL::VARCHAR AS collation_catalog, NULL::VARCHAR AS collation_schema, NULL::VARCHAR AS collation_name,
    NULL::VARCHAR AS domain_catalog, NULL::VARCHAR AS domain_schema, NULL::VARCHAR AS domain_name,
    d.name AS udt_catalog, 'pg_catalog' AS udt_schema, t.typname AS udt_name, NULL::INTEGER AS maximum_cardinality,
    c.number::VARCHAR AS dtd_identifier, 'NO' AS is_self_referencing, 'NO' AS is_identity, NULL::VARCHAR AS identity_generation,
    NULL::VARCHAR AS identity_start, NULL::VARCHAR AS identity_increment, 'NEVER' AS is_generated, NULL::VARCHAR AS generation_expression, 'NO' AS is_updatable
  FROM raw.columns c JOIN raw.relations r ON r.oid = c.relation JOIN raw.schemas s ON s.oid = r.schema_oid
    LEFT JOIN pg.pg_type t ON t.oid = c.type_oid, raw.database d WHERE r.kind IN ('r', 'v');

CREATE VIEW info.table_constraints AS
  SELECT d.name AS constraint_catalog, s.name AS constraint_schema, k.name AS constraint_name, d.name AS table_catalog, s.name AS table_schema,
    r.name AS table_name, CASE k.kind WHEN 'p' THEN 'PRIMARY KEY' WHEN 'u' THEN 'UNIQUE' WHEN 'f' THEN 'FOREIGN KEY' ELSE 'CHECK' END AS constraint_type,
    'NO' AS is_deferrable, 'NO' AS initially_deferred, 'YES' AS enforced
  FROM raw.constraints k JOIN raw.relations r ON r.oid = k.relation JOIN raw.schemas s ON s.oid = k.schema_oid, raw.database d;

CREATE VIEW info.key_column_usage AS
  SELECT d.name AS constraint_catalog, s.name AS constraint_schema, k.name AS constraint_name, d.name AS table_catalog, s.name AS table_schema,
    r.name AS table_name, c.name AS column_name, list_position(k.keys, c.number)::INTEGER AS ordinal_position,
    CASE WHEN k.kind = 'f' THEN list_position(k.keys, c.number) END::INTEGER AS position_in_unique_constraint
  FROM raw.constraints k JOIN raw.relations r ON r.oid = k.relation JOIN raw.schemas s ON s.oid = k.schema_oid
    JOIN raw.columns c ON c.relation = k.relation AND list_contains(k.keys, c.number), raw.database d WHERE k.kind IN ('p', 'u', 'f');

CREATE VIEW info.constraint_column_usage AS
  SELECT table_catalog, table_schema, table_name, column_name, constraint_catalog, constraint_schema, constraint_name FROM info.key_column_usage;

CREATE VIEW info.routines AS
  SELECT d.name AS specific_catalog, 'public' AS specific_schema, f.name || '_' || f.oid AS specific_name, d.name AS routine_catalog,
    'public' AS routine_schema, f.name AS routine_name, 'FUNCTION' AS routine_type, 'any' AS data_type, 'SQL' AS routine_body, 'SQL' AS external_language
  FROM raw.functions f, raw.database d;

CREATE VIEW info.table_privileges AS
  SELECT 'imputedb' AS grantor, 'PUBLIC' AS grantee, table_catalog, table_schema, table_name, 'SELECT' AS privilege_type, 'NO' AS is_grantable,
    'YES' AS with_hierarchy FROM info.tables;

CREATE VIEW info.role_table_grants AS SELECT * FROM info.table_privileges;

CREATE TABLE info.character_sets AS
  SELECT NULL::VARCHAR AS character_set_catalog, NULL::VARCHAR AS character_set_schema, 'UTF8' AS character_set_name, 'UCS' AS character_repertoire,
    'UTF8' AS form_of_use, name AS default_collate_catalog, 'pg_catalog' AS default_collate_schema, 'default' AS default_collate_name FROM raw.database;

CREATE TABLE info.collations AS
  SELECT name AS collation_catalog, 'pg_catalog' AS collation_schema, 'default' AS collation_name, 'NO PAD' AS pad_attribute FROM raw.database;

CREATE TABLE info.enabled_roles AS SELECT 'imputedb' AS role_name;

CREATE TABLE info.applicable_roles AS SELECT 'imputedb' AS grantee, 'imputedb' AS role_name, 'NO' AS is_grantable;

CREATE TABLE info.information_schema_catalog_name AS SELECT name AS catalog_name FROM raw.database;
