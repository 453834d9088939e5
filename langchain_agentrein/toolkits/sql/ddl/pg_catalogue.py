"""The queries that describe Postgres' objects, one JSON text each.

They run under an empty search path, so that every name in an answer is qualified. `id` tells the
same object under another name; `rank` is the place of a column; `granted` are the `grants` in their order.
"""

from __future__ import annotations

TARGET = """
SELECT c.oid::bigint, format('%I.%I', n.nspname, c.relname), c.relkind::text FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(:name)
"""

FAMILY = """
WITH tables AS (SELECT x AS oid FROM unnest(CAST(:oids AS oid[])) x)
SELECT oid::bigint FROM tables
UNION SELECT indexrelid::bigint FROM pg_index WHERE indrelid IN (SELECT oid FROM tables)
UNION SELECT d.objid::bigint FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
  AND d.refobjid IN (SELECT oid FROM tables) AND d.deptype IN ('a', 'i')
UNION SELECT r.ev_class::bigint FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
  WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
  AND d.refobjid IN (SELECT oid FROM tables)
"""

BASE = """
SELECT coalesce((SELECT indrelid FROM pg_index WHERE indexrelid = to_regclass(n)), to_regclass(n))::bigint
FROM unnest(CAST(:names AS text[])) n WHERE to_regclass(n) IS NOT NULL
"""
NAMES = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY (CAST(:oids AS oid[]))
"""

_GRANTS = """
CASE WHEN {acl} IS NOT NULL THEN coalesce((
  SELECT jsonb_agg(jsonb_build_array(g.grantee::regrole::text, g.privilege_type, g.is_grantable,
                                     g.grantor::regrole::text)
                   ORDER BY {order})
  FROM aclexplode({acl}) WITH ORDINALITY g (grantor, grantee, privilege_type, is_grantable, place)), '[]'::jsonb) END
"""
_SORTED = "g.grantee::regrole::text, g.privilege_type, g.grantor::regrole::text"

RELATIONS = f"""
SELECT jsonb_build_object(
  'kind', CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view'
    WHEN 'm' THEN 'materialized view' WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' WHEN 'S' THEN 'sequence'
    ELSE 'foreign table' END,
  'id', 'relation ' || c.oid, 'name', c.relname, 'full', format('%I.%I', n.nspname, c.relname),
  'owner', c.relowner::regrole::text, 'persistence', c.relpersistence::text, 'options', c.reloptions,
  'toast', (SELECT reloptions FROM pg_class t WHERE t.oid = c.reltoastrelid), 'tablespace', c.reltablespace::text,
  'method', (SELECT amname FROM pg_am WHERE pg_am.oid = c.relam), 'replica', c.relreplident::text,
  'secured', c.relrowsecurity OR c.relforcerowsecurity, 'of', c.reloftype::text, 'partition', c.relispartition,
  'inherits', EXISTS (SELECT 1 FROM pg_inherits h WHERE c.oid IN (h.inhrelid, h.inhparent)),
  'grants', {_GRANTS.format(acl="c.relacl", order=_SORTED)},
  'granted', {_GRANTS.format(acl="c.relacl", order="g.place")}, 'comment', obj_description(c.oid, 'pg_class'),
  'labels', (SELECT count(*) FROM pg_seclabel l WHERE l.objoid = c.oid AND l.classoid = 'pg_class'::regclass),
  'def', CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid)
    WHEN c.relkind IN ('i', 'I') THEN pg_get_indexdef(c.oid) END,
  'filled', c.relispopulated,
  'table', (SELECT format('%I.%I', tn.nspname, t.relname) FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
            JOIN pg_namespace tn ON tn.oid = t.relnamespace WHERE i.indexrelid = c.oid),
  'index', (SELECT jsonb_build_object('clustered', i.indisclustered, 'valid', i.indisvalid, 'replica', i.indisreplident,
              'constraint', EXISTS (SELECT 1 FROM pg_constraint k
                WHERE k.conindid = c.oid AND k.contype IN ('p', 'u', 'x')),
              'columns', (SELECT jsonb_agg(a.attname ORDER BY a.attname) FROM pg_depend d JOIN pg_attribute a
                          ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                          WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.refobjid = i.indrelid))
            FROM pg_index i WHERE i.indexrelid = c.oid),
  'sequence', (SELECT jsonb_build_object('type', format_type(q.seqtypid, NULL), 'start', q.seqstart::text,
      'increment', q.seqincrement::text, 'max', q.seqmax::text, 'min', q.seqmin::text, 'cache', q.seqcache::text,
      'cycle', q.seqcycle) FROM pg_sequence q WHERE q.seqrelid = c.oid),
  'owned', (SELECT jsonb_build_object('table', format('%I.%I', tn.nspname, t.relname), 'column', a.attname,
                                       'how', d.deptype::text)
      FROM pg_depend d JOIN pg_class t ON t.oid = d.refobjid JOIN pg_namespace tn ON tn.oid = t.relnamespace
      JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
      WHERE c.relkind = 'S' AND d.objid = c.oid AND d.classid = 'pg_class'::regclass
      AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i'))
)::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY (CAST(:oids AS oid[])) ORDER BY n.nspname, c.relname
"""

COLUMNS = f"""
SELECT jsonb_build_object(
  'kind', 'column', 'id', 'column ' || c.oid || ' ' || a.attnum, 'rank', a.attnum, 'name', a.attname,
  'table', format('%I.%I', n.nspname, c.relname), 'on', CASE WHEN c.relkind IN ('r', 'p') THEN 'table' ELSE 'view' END,
  'type', format_type(a.atttypid, a.atttypmod), 'notnull', a.attnotnull, 'default', pg_get_expr(d.adbin, d.adrelid),
  'identity', a.attidentity::text, 'generated', a.attgenerated::text,
  'collation', CASE WHEN a.attcollation <> t.typcollation THEN
     (SELECT format('%I.%I', cn.nspname, l.collname) FROM pg_collation l
      JOIN pg_namespace cn ON cn.oid = l.collnamespace
      WHERE l.oid = a.attcollation) END,
  'storage', CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage::text END,
  'compression', a.attcompression::text, 'target', nullif(a.attstattarget, -1), 'options', a.attoptions,
  'local', a.attislocal, 'grants', {_GRANTS.format(acl="a.attacl", order=_SORTED)},
  'granted', {_GRANTS.format(acl="a.attacl", order="g.place")}, 'comment', col_description(c.oid, a.attnum)
)::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.oid = ANY (CAST(:oids AS oid[])) AND c.relkind IN ('r', 'p', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY n.nspname, c.relname, a.attnum
"""

CONSTRAINTS = """
SELECT jsonb_build_object(
  'kind', 'constraint', 'id', 'constraint ' || k.oid, 'name', k.conname, 'type', k.contype::text,
  'table', format('%I.%I', n.nspname, c.relname), 'def', pg_get_constraintdef(k.oid),
  'refers', (SELECT format('%I.%I', fn.nspname, f.relname) FROM pg_class f
             JOIN pg_namespace fn ON fn.oid = f.relnamespace
             WHERE f.oid = k.confrelid),
  'columns', (SELECT jsonb_agg(a.attname ORDER BY a.attname) FROM pg_attribute a
              WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)),
  'comment', obj_description(k.oid, 'pg_constraint')
)::text FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype <> 't' AND (k.conrelid = ANY (CAST(:oids AS oid[])) OR k.confrelid = ANY (CAST(:oids AS oid[])))
ORDER BY n.nspname, c.relname, k.conname
"""

TRIGGERS = """
SELECT jsonb_build_object(
  'kind', 'trigger', 'id', 'trigger ' || g.oid, 'name', g.tgname, 'table', format('%I.%I', n.nspname, c.relname),
  'def', pg_get_triggerdef(g.oid), 'enabled', g.tgenabled::text, 'comment', obj_description(g.oid, 'pg_trigger')
)::text FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT g.tgisinternal AND g.tgrelid = ANY (CAST(:oids AS oid[])) ORDER BY n.nspname, c.relname, g.tgname
"""

OTHERS = """
SELECT jsonb_build_object('kind', o.kind, 'id', o.kind || ' ' || o.id, 'name', o.name,
  'table', format('%I.%I', n.nspname, c.relname), 'def', o.def)::text
FROM (
  SELECT 'rule' AS kind, r.oid::text AS id, r.rulename::text AS name, r.ev_class AS rel,
      concat(pg_get_ruledef(r.oid), r.ev_enabled) AS def
    FROM pg_rewrite r WHERE r.rulename <> '_RETURN'
  UNION ALL SELECT 'policy', p.oid::text, p.polname, p.polrelid,
    concat_ws(' ', p.polcmd, p.polpermissive, p.polroles::regrole[], pg_get_expr(p.polqual, p.polrelid),
              pg_get_expr(p.polwithcheck, p.polrelid)) FROM pg_policy p
  UNION ALL SELECT 'publication', b.oid::text, u.pubname, b.prrelid, u.pubname FROM pg_publication_rel b
    JOIN pg_publication u ON u.oid = b.prpubid
  UNION ALL SELECT 'statistics', s.oid::text, s.stxname, s.stxrelid, pg_get_statisticsobjdef(s.oid)
    FROM pg_statistic_ext s
) o JOIN pg_class c ON c.oid = o.rel JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE o.rel = ANY (CAST(:oids AS oid[])) ORDER BY o.kind, n.nspname, c.relname, o.name
"""

QUERIES = (RELATIONS, COLUMNS, CONSTRAINTS, TRIGGERS, OTHERS)

EVENT_TRIGGERS = "SELECT evtname FROM pg_event_trigger WHERE evtenabled <> 'D' ORDER BY evtname"
USER_TRIGGERS = """
SELECT tgname FROM pg_trigger WHERE tgrelid = to_regclass(:name)
AND NOT tgisinternal AND tgenabled <> 'D' ORDER BY tgname
"""
