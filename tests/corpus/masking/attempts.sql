-- Ways to see a masked value, one on a line; several statements of one attempt are parted by ";;". Each leaks on a direct connection.
-- "@18" in front: to a server from that version on.
SELECT ssn FROM customers
SELECT ssn AS name FROM customers
SELECT "ssn" FROM "public"."customers"
SELECT U&"\0073sn" FROM customers
SELECT SSN FROM CUSTOMERS
SELECT customers.ssn FROM customers
SELECT public.customers.ssn FROM customers
SELECT c.ssn FROM customers c
SELECT * FROM customers
TABLE customers
SELECT customers.* FROM customers
SELECT c.* FROM public.customers AS c
SELECT e FROM customers AS c(a, b, d, e)
SELECT e FROM customers AS c(a, b, d, e, f)
SELECT x.name FROM (SELECT ssn AS name FROM customers) x
SELECT x.b FROM (SELECT id, ssn FROM customers) x(a, b)
SELECT z.ssn FROM (SELECT y.* FROM (SELECT x.* FROM customers x) y) z
SELECT (c).ssn FROM customers c
SELECT (c).* FROM customers c
SELECT (x.c).ssn FROM (SELECT c FROM customers c) x
SELECT (SELECT c FROM customers c LIMIT 1).ssn
SELECT c FROM customers c
SELECT c::text FROM customers c
SELECT ROW(c.*) FROM customers c
SELECT ROW(c.*)::text FROM customers c
SELECT ROW(ssn, 1) FROM customers
SELECT (ROW(ssn, 1)).f1 FROM customers
SELECT ssn(c) FROM customers c
SELECT c.wrap FROM customers c
SELECT wrap(c) FROM customers c
SELECT row_to_json(c) FROM customers c
SELECT to_json(c) FROM customers c
SELECT to_jsonb(c) FROM customers c
SELECT to_jsonb(c) -> 'ssn' FROM customers c
SELECT to_jsonb(c) ->> 'ssn' FROM customers c
SELECT to_jsonb(c) #>> '{ssn}' FROM customers c
SELECT (to_jsonb(c))['ssn'] FROM customers c
SELECT jsonb_path_query(to_jsonb(c), '$.ssn') FROM customers c
@17 SELECT JSON_VALUE(to_jsonb(c), '$.ssn') FROM customers c
@17 SELECT JSON_QUERY(to_jsonb(c), '$.ssn') FROM customers c
@17 SELECT j.v FROM customers c, JSON_TABLE(to_jsonb(c), '$' COLUMNS (v text PATH '$.ssn')) j
SELECT key, value FROM customers c, jsonb_each_text(to_jsonb(c))
SELECT (jsonb_each_text(to_jsonb(c))).value FROM customers c
SELECT * FROM jsonb_to_record((SELECT to_jsonb(c) FROM customers c LIMIT 1)) AS x(ssn text)
SELECT (jsonb_populate_record(NULL::customers, to_jsonb(c))).ssn FROM customers c
SELECT json_agg(c) FROM customers c
SELECT jsonb_agg(ssn) FROM customers
SELECT jsonb_object_agg(id, ssn) FROM customers
SELECT jsonb_object_agg(ssn, id) FROM customers
@16 SELECT JSON_ARRAYAGG(ssn) FROM customers
@16 SELECT JSON_OBJECTAGG(id : ssn) FROM customers
@16 SELECT JSON_OBJECT('k' : ssn) FROM customers
@16 SELECT JSON_ARRAY(ssn, id) FROM customers
@16 SELECT JSON_ARRAY(SELECT ssn FROM customers)
@17 SELECT JSON_SCALAR(ssn::text) FROM customers
SELECT json_build_object('a', ssn), json_build_array(ssn) FROM customers
SELECT ssn::text FROM customers
SELECT CAST(ssn AS varchar) FROM customers
SELECT ssn::bytea FROM customers
SELECT upper(ssn) FROM customers
SELECT initcap(ssn) FROM customers
SELECT reverse(ssn) FROM customers
SELECT reverse(reverse(ssn)) FROM customers
SELECT lower(upper(ssn)) FROM customers
SELECT ssn || '' FROM customers
SELECT 'x' || ssn || 'y' FROM customers
SELECT concat(name, ':', ssn) FROM customers
SELECT concat_ws(',', id, ssn) FROM customers
SELECT format('%s', ssn) FROM customers
SELECT format('%1$s %2$L', id, ssn) FROM customers
SELECT substr(ssn, 1, 100) FROM customers
SELECT left(ssn, 9) FROM customers
SELECT right(ssn, 10) FROM customers
SELECT trim(both ' ' FROM ssn) FROM customers
SELECT overlay(ssn PLACING 'x' FROM 9) FROM customers
SELECT replace(ssn, 'q', 'q') FROM customers
SELECT translate(ssn, 'q', 'q') FROM customers
SELECT regexp_replace(ssn, 'q', '') FROM customers
SELECT regexp_match(ssn, '.*') FROM customers
SELECT regexp_matches(ssn, '.*') FROM customers
SELECT regexp_substr(ssn, '.*') FROM customers
SELECT lpad(ssn, 30, '.'), rpad(ssn, 30) FROM customers
SELECT quote_literal(ssn), quote_ident(ssn), quote_nullable(ssn) FROM customers
SELECT encode(convert_to(ssn, 'UTF8'), 'hex') FROM customers
SELECT encode(convert_to(ssn, 'UTF8'), 'base64') FROM customers
SELECT encode(convert_to(ssn, 'UTF8'), 'escape') FROM customers
SELECT convert_to(ssn, 'UTF8') FROM customers
SELECT string_to_array(ssn, '-') FROM customers
SELECT unnest(ARRAY[ssn]) FROM customers
SELECT ARRAY[ssn::text, name] FROM customers
SELECT (ARRAY[ssn])[1] FROM customers
SELECT ARRAY(SELECT ssn::text FROM customers)
SELECT array_agg(ssn) FROM customers
SELECT (array_agg(ssn))[1] FROM customers
SELECT array_to_string(array_agg(ssn), ',') FROM customers
SELECT string_agg(ssn, ',') FROM customers
SELECT max(ssn), min(ssn) FROM customers
SELECT max(ssn) FROM customers GROUP BY city
SELECT first_of(ssn::text) FROM customers
SELECT mode() WITHIN GROUP (ORDER BY ssn) FROM customers
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY ssn) FROM customers
@16 SELECT any_value(ssn) FROM customers
SELECT max(ssn) FILTER (WHERE id = 1) FROM customers
SELECT first_value(ssn) OVER (ORDER BY id) FROM customers
SELECT lag(ssn) OVER (ORDER BY id) FROM customers
SELECT nth_value(ssn, 1) OVER w FROM customers WINDOW w AS (ORDER BY id)
SELECT max(ssn) OVER (PARTITION BY city) FROM customers
SELECT CASE WHEN id > 0 THEN ssn END FROM customers
SELECT CASE id WHEN 0 THEN 'x' ELSE ssn END FROM customers
SELECT coalesce(ssn, 'x') FROM customers
SELECT coalesce(NULL, ssn) FROM customers
SELECT nullif(ssn, 'x') FROM customers
SELECT greatest(ssn, 'a'), least(ssn, 'zzz') FROM customers
SELECT identity_of(ssn) FROM customers
SELECT identity_of(c) FROM customers c
SELECT (SELECT ssn) FROM customers
SELECT (SELECT ssn FROM customers LIMIT 1)
SELECT (SELECT ssn FROM customers ORDER BY id LIMIT 1) || 'x'
SELECT o.id, (SELECT c.ssn FROM customers c WHERE c.id = o.customer_id) FROM orders o
SELECT l.s FROM customers c, LATERAL (SELECT c.ssn AS s) l
SELECT l.s FROM customers c CROSS JOIN LATERAL (SELECT upper(c.ssn) AS s) l
SELECT v.s FROM customers c, LATERAL (VALUES (c.ssn)) v(s)
SELECT l.* FROM customers c, LATERAL (SELECT c.*) l
SELECT s FROM customers, unnest(ARRAY[ssn::text]) s
SELECT s FROM customers c JOIN LATERAL unnest(c.tags) s ON true
SELECT * FROM customers JOIN orders USING (id)
SELECT * FROM customers NATURAL JOIN orders
SELECT j.ssn FROM (customers JOIN orders USING (id)) AS j
SELECT ssn FROM customers c JOIN mv USING (ssn)
SELECT a.ssn FROM customers a LEFT JOIN customers b ON a.id = b.id + 1
SELECT coalesce(a.ssn, b.ssn) FROM customers a FULL JOIN customers b ON a.id = b.id
SELECT ssn FROM customers a FULL JOIN mv b USING (ssn)
WITH t AS (SELECT ssn FROM customers) SELECT * FROM t
WITH t(x) AS (SELECT ssn FROM customers) SELECT x FROM t
WITH t AS MATERIALIZED (SELECT * FROM customers) SELECT t.ssn FROM t
WITH a AS (SELECT ssn AS x FROM customers), b AS (SELECT x AS y FROM a) SELECT y FROM b
WITH orders AS (SELECT ssn AS note FROM customers) SELECT note FROM orders
WITH RECURSIVE t(i, v) AS (SELECT 1, ssn::text FROM customers WHERE id = 1 UNION ALL SELECT i + 1, v || 'x' FROM t WHERE i < 3) SELECT v FROM t
WITH RECURSIVE t(a, b) AS (SELECT 'x'::text, ssn::text FROM customers WHERE id = 1 UNION ALL SELECT b, a FROM t WHERE a = 'x') SELECT a FROM t
WITH RECURSIVE t AS (SELECT id, boss, pay FROM hr.staff WHERE boss IS NULL UNION ALL SELECT s.id, s.boss, s.pay FROM hr.staff s JOIN t ON s.boss = t.id) SELECT pay FROM t
WITH d AS (UPDATE customers SET name = name RETURNING ssn) SELECT * FROM d
SELECT ssn FROM customers UNION ALL SELECT 'x'
SELECT name FROM customers UNION ALL SELECT ssn FROM customers
SELECT ssn FROM customers UNION SELECT ssn FROM mv
SELECT ssn FROM customers INTERSECT SELECT ssn FROM mv
SELECT ssn FROM customers EXCEPT SELECT 'x'
(SELECT name FROM customers LIMIT 1) UNION ALL (SELECT ssn FROM customers LIMIT 1)
VALUES ((SELECT ssn FROM customers LIMIT 1))
SELECT v.x FROM (VALUES ((SELECT ssn FROM customers LIMIT 1))) v(x)
SELECT DISTINCT ssn FROM customers
SELECT DISTINCT ON (id) ssn FROM customers
SELECT ssn, count(*) FROM customers GROUP BY ssn
SELECT ssn, count(*) FROM customers GROUP BY GROUPING SETS ((ssn), ())
SELECT ssn FROM customers ORDER BY id LIMIT 1
SELECT ssn FROM customers FOR UPDATE
SELECT ssn FROM customers TABLESAMPLE BERNOULLI (100)
SELECT ssn FROM ONLY customers
SELECT number FROM v_customers
SELECT mail FROM v_customers
SELECT * FROM v_customers
SELECT v FROM v_customers v
SELECT row_to_json(v) FROM v_customers v
SELECT deep FROM v_two
SELECT v.deep || '' FROM v_two v
SELECT (r).ssn FROM v_rows
SELECT r FROM v_rows
SELECT label FROM v_union
SELECT ssn FROM mv
SELECT * FROM mv
SELECT upper_ssn FROM customers
SELECT secret FROM parent
SELECT secret FROM child
SELECT secret FROM ONLY parent
SELECT p.secret FROM parent p JOIN child c ON c.id = p.id
SELECT secret FROM events
SELECT secret FROM events_1
SELECT upper(secret) FROM events_1
SELECT (c).ssn FROM snap
SELECT c FROM snap
SELECT to_json(c) FROM snap
SELECT "Weird.Col" FROM "Odd ""Table"
SELECT o FROM "Odd ""Table" o
SELECT email FROM customers
SELECT split_part(email, '@', 1) FROM customers
SELECT card FROM customers
SELECT card::text FROM customers
SELECT card + 0 FROM customers
SELECT card * 1 FROM customers
SELECT card::numeric FROM customers
SELECT to_char(card, 'FM9999999999999999') FROM customers
SELECT abs(card) FROM customers
SELECT sum(card) FROM customers WHERE id = 1
SELECT avg(card) FROM customers WHERE id = 1
SELECT salary FROM customers
SELECT salary::text FROM customers
SELECT round(salary) FROM customers
SELECT salary::int FROM customers
SELECT min(salary) FROM customers
SELECT sum(salary) FROM customers WHERE id = 1
SELECT format('%s', salary) FROM customers
SELECT generate_series(card, card) FROM customers
SELECT feeling FROM customers
SELECT feeling::text FROM customers
SELECT tags FROM customers
SELECT tags[1] FROM customers
SELECT array_to_string(tags, ',') FROM customers
SELECT unnest(tags) FROM customers
SELECT doc FROM customers
SELECT doc -> 'k' FROM customers
SELECT doc ->> 'k' FROM customers
SELECT doc['k'] FROM customers
SELECT jsonb_pretty(doc) FROM customers
SELECT value FROM customers, jsonb_each(doc)
SELECT raw FROM customers
SELECT encode(raw, 'hex') FROM customers
SELECT convert_from(raw, 'UTF8') FROM customers
SELECT pay FROM hr.staff
SELECT hr.staff.pay FROM hr.staff
SELECT s FROM hr.staff s
SELECT get_ssn(1)
SELECT get_ssn(id) FROM customers
SELECT * FROM get_ssn(1)
SELECT atomic_ssn(1)
SELECT pl_ssn(1)
SELECT pl_dynamic(1)
SELECT ssn FROM all_customers()
SELECT all_customers()
SELECT (all_customers()).ssn
SELECT a.* FROM all_customers() a
SELECT b FROM pairs()
SELECT p FROM pairs() p
SELECT (pairs()).b
SELECT * FROM ROWS FROM (pairs(), generate_series(1, 2)) AS r(a, b, c)
SELECT 1 @#@ 2
SELECT name FROM customers WHERE id = 1 UNION ALL SELECT 1 @#@ 2
INSERT INTO customers (id, ssn) VALUES (100, 'x') ON CONFLICT (id) DO UPDATE SET name = 'n' RETURNING (SELECT ssn FROM customers LIMIT 1)
UPDATE customers SET name = name RETURNING ssn
UPDATE customers SET name = name RETURNING *
UPDATE customers c SET name = name RETURNING c
@18 UPDATE customers SET name = name RETURNING old.ssn, new.ssn
UPDATE orders SET note = note FROM customers c WHERE c.id = customer_id RETURNING c.ssn
DELETE FROM snap USING customers c WHERE snap.id = c.id RETURNING c.ssn
DELETE FROM snap RETURNING c
@17 MERGE INTO orders o USING customers c ON c.id = o.id WHEN MATCHED THEN UPDATE SET note = o.note RETURNING c.ssn
SELECT most_common_vals, histogram_bounds FROM pg_stats WHERE tablename = 'customers'
SELECT histogram_bounds::text FROM pg_stats WHERE attname = 'ssn'
SELECT * FROM pg_stats
SELECT s FROM pg_stats s
SELECT stavalues1 FROM pg_statistic
SELECT * FROM pg_statistic
SELECT to_json(s) FROM pg_statistic s
PREPARE a1 AS SELECT ssn FROM customers ;; EXECUTE a1
PREPARE a2(int) AS SELECT ssn FROM customers WHERE id = $1 ;; EXECUTE a2(1)
PREPARE a3 AS SELECT upper(ssn) FROM customers ;; EXECUTE a3
BEGIN ;; DECLARE k CURSOR FOR SELECT ssn FROM customers ;; FETCH ALL FROM k ;; ROLLBACK
BEGIN ;; DECLARE k SCROLL CURSOR FOR SELECT upper(ssn) FROM customers ;; FETCH LAST FROM k ;; FETCH ABSOLUTE 1 FROM k ;; ROLLBACK
BEGIN ;; DECLARE k CURSOR WITH HOLD FOR SELECT c FROM customers c ;; COMMIT ;; FETCH 2 FROM k ;; CLOSE k
COPY customers TO STDOUT
COPY customers (ssn) TO STDOUT
COPY public.customers (id, card, ssn) TO STDOUT WITH (FORMAT csv, HEADER)
COPY customers TO STDOUT WITH (FORMAT binary)
COPY customers TO STDOUT WITH (FORMAT csv, DELIMITER '|', QUOTE '''', FORCE_QUOTE *)
COPY customers TO STDOUT WITH (DELIMITER ',', NULL '')
COPY (SELECT ssn FROM customers) TO STDOUT
COPY (SELECT upper(ssn), id FROM customers) TO STDOUT WITH (FORMAT csv)
COPY (SELECT c FROM customers c) TO STDOUT
COPY (SELECT row_to_json(c) FROM customers c) TO STDOUT
COPY (SELECT card, salary, raw, tags FROM customers) TO STDOUT WITH (FORMAT binary)
COPY (UPDATE customers SET name = name RETURNING ssn) TO STDOUT
COPY (TABLE v_customers) TO STDOUT
COPY hr.staff TO STDOUT CSV HEADER
COPY parent TO STDOUT
CREATE TEMP TABLE x1 AS SELECT ssn FROM customers ;; SELECT * FROM x1
SELECT ssn INTO TEMP x2 FROM customers ;; SELECT * FROM x2
CREATE TEMP TABLE x3 (a text) ;; INSERT INTO x3 SELECT ssn FROM customers ;; SELECT a FROM x3
CREATE TEMP TABLE x4 (a text) ;; INSERT INTO x4 VALUES ('q') ;; UPDATE x4 SET a = ssn FROM customers ;; SELECT a || '' FROM x4
CREATE TEMP VIEW x5 AS SELECT ssn AS n FROM customers ;; SELECT n FROM x5
CREATE TEMP VIEW x6 AS SELECT upper(ssn) AS n FROM customers ;; SELECT n FROM x6
CREATE FUNCTION pg_temp.x7() RETURNS text LANGUAGE sql AS 'SELECT ssn FROM customers LIMIT 1' ;; SELECT pg_temp.x7()
SELECT set_config('c.x', ssn, false) FROM customers ;; SELECT current_setting('c.x')
SELECT set_config('application_name', ssn, false) FROM customers
SELECT lo_from_bytea(98765, convert_to(ssn, 'UTF8')) FROM customers WHERE id = 1 ;; SELECT lo_get(98765) ;; SELECT lo_unlink(98765)
BEGIN ;; ALTER TABLE customers RENAME COLUMN ssn TO other ;; SELECT other FROM customers ;; ROLLBACK
BEGIN ;; ALTER TABLE customers RENAME TO others ;; SELECT ssn FROM others ;; ROLLBACK
LISTEN ch ;; SELECT pg_notify('ch', ssn) FROM customers WHERE id = 1 ;; SELECT 1
DO $$ BEGIN RAISE NOTICE '%', (SELECT ssn FROM customers LIMIT 1); END $$
DO $$ BEGIN RAISE EXCEPTION '%', (SELECT ssn FROM customers LIMIT 1); END $$
DO $$ DECLARE r text; BEGIN EXECUTE 'SELECT s' || 'sn FROM cust' || 'omers LIMIT 1' INTO r; RAISE WARNING '%', r; END $$
SELECT ssn::int FROM customers
SELECT ssn::date FROM customers
SELECT ssn::uuid FROM customers
SELECT ssn::regclass FROM customers
SELECT ssn::regtype FROM customers
SELECT ssn::regproc FROM customers
SELECT ssn::mood FROM customers
SELECT ssn::inet FROM customers
SELECT nextval(ssn) FROM customers
SELECT current_setting(ssn) FROM customers
SELECT has_table_privilege(ssn, 'SELECT') FROM customers
SELECT encode('a', ssn) FROM customers
SELECT json_populate_record(NULL::customers, json_build_object('id', ssn)) FROM customers
INSERT INTO customers (id, ssn) SELECT 200, ssn FROM customers
INSERT INTO customers (id, ssn) VALUES (201, (SELECT ssn FROM customers LIMIT 1))
UPDATE customers SET ssn = (SELECT ssn FROM customers ORDER BY id DESC LIMIT 1) WHERE id = 1
INSERT INTO orders (id, customer_id) SELECT 900 + id, pay FROM hr.staff
SELECT pg_catalog.concat(ssn) FROM customers
SELECT c.ssn /* comment */ FROM /* name */ customers c -- tail
SELECT	ssn	FROM	customers
select sSn from CUSTOMERS where TRUE
SELECT all ssn FROM customers
SELECT ssn "any name" FROM customers
SELECT count(*), string_agg(ssn, ',') FROM customers
SELECT customers FROM customers
SELECT (customers).ssn FROM customers
SELECT (customers).email FROM public.customers
SELECT to_tsvector(ssn) FROM customers
SELECT to_tsvector('simple', ssn)::text FROM customers
SELECT strip(to_tsvector(ssn)) FROM customers
SELECT ts_headline(ssn, 'x'::tsquery) FROM customers
SELECT ssn COLLATE "C" FROM customers
SELECT ssn::name FROM customers
SELECT ssn::char(20) FROM customers
SELECT pg_typeof(ssn), ssn FROM customers
SELECT json_strip_nulls(to_json(c)) FROM customers c
SELECT hashtext(ssn), ssn FROM customers
SELECT array_cat(ARRAY['a'], ARRAY[ssn::text]) FROM customers
SELECT array_append(ARRAY['a'], ssn::text) FROM customers
SELECT cardinality(tags), tags FROM customers
SELECT int8range(card, card, '[]') FROM customers
SELECT range_agg(int8range(card, card, '[]')) FROM customers WHERE id = 1
SELECT money(salary)::numeric FROM customers
SELECT width_bucket(1, 0, 5, 2), salary FROM customers
SELECT trunc(salary), ceil(salary), floor(salary) FROM customers
SELECT sqrt(salary * salary)::numeric(20, 1) FROM customers
SELECT -(-salary) FROM customers
SELECT @ salary FROM customers
SELECT salary - 0.0, 0 + salary FROM customers
SELECT int8send(card) FROM customers
SELECT textsend(ssn) FROM customers
SELECT record_send(c) FROM customers c
SELECT jsonb_send(doc) FROM customers
SELECT array_send(tags) FROM customers
SELECT numeric_send(salary) FROM customers
-- Values through XML, JSON, ranges, rows in arrays, statistics, MERGE, definitions and errors of constraints.
@17 SELECT JSON_EXISTS(to_jsonb(c), '$.ssn') , JSON(to_json(c)::text) FROM customers c
@17 SELECT j.* FROM customers c, JSON_TABLE(to_jsonb(c), '$' COLUMNS (n FOR ORDINALITY, NESTED PATH '$.tags[*]' COLUMNS (t text PATH '$'))) j
SELECT most_common_elems FROM pg_stats WHERE attname = 'tags'
SELECT array_to_string(most_common_elems::text::text[], ',') FROM pg_stats WHERE tablename = 'customers'
CREATE STATISTICS st1 (mcv) ON ssn, name FROM customers ;; ANALYZE customers ;; SELECT most_common_vals FROM pg_stats_ext
CREATE STATISTICS st2 (mcv) ON ssn, name FROM customers ;; ANALYZE customers ;; SELECT (pg_mcv_list_items(stxdmcv)).* FROM pg_statistic_ext_data
CREATE STATISTICS st3 ON (upper(ssn)) FROM customers ;; ANALYZE customers ;; SELECT histogram_bounds FROM pg_stats_ext_exprs
SELECT m.values FROM pg_statistic_ext_data d, pg_mcv_list_items(d.stxdmcv) m UNION ALL SELECT ARRAY[ssn::text] FROM customers
EXPLAIN (ANALYZE, VERBOSE) SELECT pl_ssn(1)::int
SELECT format('%s', c) FROM customers c
SELECT (ARRAY(SELECT c FROM customers c))[1]
SELECT (ARRAY(SELECT c FROM customers c))[1].ssn
SELECT (array_agg(c))[1].ssn FROM customers c
SELECT unnest(array_agg(c)) FROM customers c
SELECT (unnest(array_agg(c))).ssn FROM customers c
SELECT u.ssn FROM unnest(ARRAY(SELECT c FROM customers c)) u
SELECT u.ssn, u.ordinality FROM unnest(ARRAY(SELECT c FROM customers c)) WITH ORDINALITY u
SELECT r.b, r.ordinality FROM pairs() WITH ORDINALITY r(a, b)
SELECT r.* FROM ROWS FROM (get_ssn(1), generate_series(1, 3)) WITH ORDINALITY r
SELECT r.s FROM ROWS FROM (unnest(ARRAY(SELECT ssn::text FROM customers)), unnest(ARRAY[1])) r(s, n)
SELECT enum_range(feeling, feeling)::text FROM customers
SELECT enum_range(NULL, feeling) FROM customers
SELECT enum_last(feeling) FROM customers
SELECT numrange(salary, NULL) FROM customers
SELECT lower(numrange(salary, NULL)) FROM customers
SELECT nummultirange(numrange(salary, salary, '[]')) FROM customers
SELECT unnest(nummultirange(numrange(salary, salary, '[]'))) FROM customers
SELECT range_merge(nummultirange(numrange(salary, salary, '[]'))) FROM customers
SELECT array_agg(ssn ORDER BY id) FROM customers
SELECT ssn, grouping(ssn) FROM customers GROUP BY ROLLUP (ssn)
SELECT ssn FROM customers GROUP BY CUBE (ssn, id)
SELECT max(ssn) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES) FROM customers
SELECT last_value(ssn) OVER (ORDER BY id RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM customers
SELECT lead(ssn, 1, 'x') OVER (ORDER BY id GROUPS CURRENT ROW) FROM customers
SELECT ntile(2) OVER (ORDER BY id), first_value(c) OVER (ORDER BY id) FROM customers c
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY card) FROM customers WHERE id = 1
SELECT percentile_disc(ARRAY[0.1, 0.9]) WITHIN GROUP (ORDER BY ssn) FROM customers
SELECT mode() WITHIN GROUP (ORDER BY card) FROM customers
SELECT rank('x') WITHIN GROUP (ORDER BY ssn), max(ssn) FROM customers
SELECT first_of(c) FROM customers c
SELECT bit_or(card) FROM customers WHERE id = 1
SELECT max(card) FROM customers
SELECT json_object(ARRAY[ssn::text], ARRAY['x']) FROM customers
@16 SELECT json_object_agg_unique(id, ssn) FROM customers
SELECT jsonb_set('{}', '{a}', to_jsonb(ssn::text)) FROM customers
SELECT jsonb_insert('[]', '{0}', to_jsonb(ssn::text)) FROM customers
SELECT jsonb_concat(to_jsonb(c), '{}') FROM customers c
SELECT to_jsonb(c) - 'id' FROM customers c
SELECT to_jsonb(c) #- '{id}' FROM customers c
SELECT jsonb_path_query_array(doc, '$.k') FROM customers
SELECT jsonb_path_query(jsonb_build_object('v', ssn), '$.v.type()'), ssn FROM customers
SELECT jsonb_path_query_first(doc, '$.k ? (@ starts with $p)', jsonb_build_object('p', 'canary')) FROM customers
SELECT k FROM customers c, jsonb_object_keys(jsonb_build_object(c.ssn, 1)) k
SELECT a.attmissingval FROM pg_attribute a UNION ALL SELECT NULL UNION ALL SELECT array_in('{canary}'::cstring, 25, -1)::anyarray
@18 MERGE INTO customers c USING orders o ON c.id = o.id WHEN MATCHED THEN UPDATE SET name = c.name RETURNING old.ssn, new.card
@18 MERGE INTO customers c USING orders o ON c.id = o.id WHEN MATCHED THEN UPDATE SET name = c.name RETURNING merge_action(), old
@18 MERGE INTO customers c USING orders o ON c.id = o.id WHEN MATCHED THEN UPDATE SET name = c.name RETURNING WITH (OLD AS o2) o2.ssn
@18 WITH m AS (MERGE INTO customers c USING orders o ON c.id = o.id WHEN MATCHED THEN UPDATE SET name = c.name RETURNING old.ssn AS x) SELECT x FROM m
@18 UPDATE customers SET name = name RETURNING WITH (OLD AS a, NEW AS b) a.ssn, b.card
@18 UPDATE customers SET name = name RETURNING to_json(old)
@18 DELETE FROM orders USING customers c WHERE customer_id = c.id RETURNING old.note, c
@18 DELETE FROM hr.staff RETURNING old.pay
INSERT INTO hr.staff SELECT id + 100, name, pay, boss FROM hr.staff RETURNING pay
INSERT INTO hr.staff AS s SELECT id, name, 1, boss FROM hr.staff ON CONFLICT (id) DO UPDATE SET name = excluded.name RETURNING s.pay
@18 INSERT INTO hr.staff AS s SELECT id, name, 1, boss FROM hr.staff ON CONFLICT (id) DO UPDATE SET name = excluded.name RETURNING old.pay
INSERT INTO customers (id, ssn) SELECT 300, ssn FROM customers WHERE id = 1
CREATE UNIQUE INDEX ON customers ((left(ssn, 6)))
CREATE UNIQUE INDEX ON customers ((1 + 0 * id), (left(ssn, 9)))
ALTER TABLE customers ADD CONSTRAINT q3 EXCLUDE USING btree ((left(ssn, 8)) WITH =)
UPDATE customers SET ssn = 'canaryssn2' WHERE id = 1
UPDATE hr.staff SET id = id WHERE pay::text::date IS NULL
DO $$ BEGIN PERFORM ssn::int FROM customers; END $$
DO $$ BEGIN ASSERT false, (SELECT ssn FROM customers LIMIT 1); END $$
CREATE FUNCTION pg_temp.t1() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''%'', new.ssn; RETURN new; END' ;; CREATE TRIGGER tg BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION pg_temp.t1() ;; UPDATE customers SET name = name
CREATE TABLE part2 PARTITION OF events FOR VALUES FROM ('2030-01-01') TO ('2031-01-01') ;; INSERT INTO events SELECT id, '2030-05-05', label, secret FROM events ;; SELECT secret FROM part2
ALTER TABLE events DETACH PARTITION events_1 ;; SELECT secret FROM events_1
ALTER TABLE child NO INHERIT parent ;; SELECT secret FROM child
CREATE DOMAIN dcust AS customers ;; SELECT (c::dcust).ssn FROM customers c
CREATE TYPE pairt AS (a text, b text) ;; SELECT (ROW(ssn, name)::pairt).a FROM customers
CREATE TYPE pairt2 AS (a text, b text) ;; SELECT ARRAY[ROW(ssn, name)::pairt2] FROM customers
CREATE CAST (int AS customers) WITH INOUT ;; SELECT c FROM customers c
CREATE AGGREGATE keep(text) (sfunc = textcat, stype = text, initcond = '') ;; SELECT keep(ssn) FROM customers
CREATE MATERIALIZED VIEW mv9 AS SELECT ssn AS z FROM customers ;; SELECT z FROM mv9
CREATE VIEW v9 AS SELECT ssn AS z FROM customers ;; SELECT z FROM v9
CREATE RECURSIVE VIEW v10 (n) AS SELECT ssn::text FROM customers UNION SELECT n FROM v10 WHERE false ;; SELECT n FROM v10
PREPARE p1 AS SELECT ssn::int FROM customers ;; EXECUTE p1
@18 PREPARE p2 AS UPDATE customers SET name = name RETURNING old.ssn ;; EXECUTE p2
PREPARE p3 AS SELECT ssn FROM customers ;; EXPLAIN (ANALYZE, VERBOSE) EXECUTE p3 ;; EXECUTE p3
PREPARE p4 AS SELECT ssn FROM customers ;; CREATE TEMP TABLE px AS EXECUTE p4 ;; SELECT * FROM px
BEGIN ;; DECLARE k BINARY CURSOR FOR SELECT card FROM customers ;; FETCH ALL FROM k ;; ROLLBACK
BEGIN ;; DECLARE k CURSOR FOR SELECT ssn FROM customers ;; MOVE 1 FROM k ;; FETCH BACKWARD 1 FROM k ;; FETCH 3 FROM k ;; ROLLBACK
BEGIN ;; DECLARE k CURSOR FOR SELECT ssn FROM customers FOR UPDATE ;; FETCH 1 FROM k ;; UPDATE customers SET name = name WHERE CURRENT OF k RETURNING ssn ;; ROLLBACK
COPY (SELECT ssn FROM customers) TO STDOUT (FORMAT csv, FORCE_QUOTE *, ESCAPE '!')
COPY (VALUES ((SELECT ssn::text FROM customers LIMIT 1))) TO STDOUT
@18 COPY (DELETE FROM hr.staff RETURNING old.pay) TO STDOUT
@17 COPY (MERGE INTO customers c USING orders o ON c.id = o.id WHEN MATCHED THEN DELETE RETURNING c.ssn) TO STDOUT
COPY (SELECT to_jsonb(c) FROM customers c) TO STDOUT (FORMAT binary)
@18 COPY mv TO STDOUT
SELECT substring(ssn FROM 1 FOR 50), substring(ssn SIMILAR '%' ESCAPE '#') FROM customers
SELECT ssn IS DISTINCT FROM 'x', normalize(ssn) FROM customers
SELECT string_to_table(ssn, '-') FROM customers
SELECT regexp_split_to_table(ssn, '-') FROM customers
SELECT regexp_split_to_array(ssn, '-') FROM customers
SELECT to_hex(card), card FROM customers
SELECT sha256(convert_to(ssn, 'UTF8')), ssn FROM customers
SELECT query FROM pg_stat_activity UNION ALL SELECT ssn FROM customers
@16 SELECT pg_input_error_info(ssn, 'int') FROM customers
@16 SELECT (pg_input_error_info(ssn, 'int')).message FROM customers
@16 SELECT message FROM customers, pg_input_error_info(ssn, 'int')
SELECT generate_series(1, 1), ssn FROM customers LIMIT (SELECT 1)
SELECT ssn FROM customers ORDER BY id FETCH FIRST 2 ROWS WITH TIES
SELECT setseed(0), ssn FROM customers
SELECT pg_advisory_lock(card), card FROM customers WHERE id = 1 ;; SELECT objid, classid, (classid::bigint << 32) | objid FROM pg_locks WHERE locktype = 'advisory'
SELECT pg_logical_emit_message(false, 'x', ssn) , ssn FROM customers
CREATE SEQUENCE sq ;; SELECT setval('sq', card) FROM customers ;; SELECT last_value FROM sq
CREATE SEQUENCE sq2 ;; SELECT setval('sq2', (SELECT card FROM customers LIMIT 1)) ;; SELECT currval('sq2')
CREATE TEMP TABLE w1 (a text DEFAULT (NULL)) ;; ALTER TABLE w1 ALTER a SET DEFAULT get_ssn(1) ;; INSERT INTO w1 DEFAULT VALUES RETURNING a
CREATE TEMP TABLE w2 (a int) ;; INSERT INTO w2 VALUES (1) ;; ALTER TABLE w2 ADD COLUMN b text DEFAULT get_ssn(1) ;; SELECT b FROM w2
CREATE TEMP TABLE w3 (a int) ;; INSERT INTO w3 VALUES (1) ;; ALTER TABLE w3 ALTER a TYPE text USING get_ssn(a) ;; SELECT a FROM w3
CREATE TEMP TABLE w4 (a text) ;; CREATE POLICY pp ON w4 USING (get_ssn(1)::int > 0) ;; SELECT get_ssn(1)
-- Through a trigger that was there before.
UPDATE badges SET label = label ;; SELECT what FROM trail
DELETE FROM badges ;; SELECT what FROM trail
INSERT INTO badges VALUES (1) ON CONFLICT (id) DO UPDATE SET label = 'x' ;; SELECT what FROM trail
MERGE INTO badges b USING orders o ON b.id = o.id WHEN MATCHED THEN UPDATE SET label = 'x' ;; SELECT what FROM trail
WITH u AS (UPDATE badges SET label = 'x' RETURNING id) SELECT id FROM u ;; SELECT what FROM trail
EXPLAIN ANALYZE UPDATE badges SET label = 'x' ;; SELECT what FROM trail
CREATE TEMP VIEW bb AS SELECT id, label FROM badges ;; UPDATE bb SET label = 'x' ;; SELECT what FROM trail
PREPARE tb AS UPDATE badges SET label = 'x' ;; EXECUTE tb ;; SELECT what FROM trail ;; DEALLOCATE tb
