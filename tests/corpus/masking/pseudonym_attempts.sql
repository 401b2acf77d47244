-- Ways to make the gateway show what a pseudonym stands for, with {ssn}, {email}, {code}, {card}, {born}, {ref}, {pay}, {at}, {seen},
-- {woke}, {tags}, {parts} in the place of values.
-- With the real values on a direct connection each shows one; with pseudonyms through the gateway none may.
SELECT {ssn}::text
SELECT {ssn} AS ssn FROM people WHERE ssn = {ssn}
SELECT 'x' WHERE {ssn} = ANY (SELECT ssn FROM people) UNION ALL SELECT {ssn}
SELECT ssn = {ssn}, {ssn} FROM people
SELECT CASE ssn WHEN {ssn} THEN {ssn} END FROM people
SELECT CASE WHEN ssn = {ssn} THEN {ssn}::text END FROM people
SELECT nullif(ssn, {ssn}) FROM people
SELECT coalesce(nullif({ssn}, ssn), 'x') FROM people
SELECT greatest(ssn, {ssn}), least(ssn, {ssn}) FROM people
SELECT v.x FROM (VALUES ({ssn}), ('q')) v(x) JOIN people ON ssn = v.x
SELECT v.x FROM (SELECT {ssn} AS x) v JOIN people ON ssn = v.x
SELECT u FROM people, unnest(ARRAY[{ssn}, 'q']) u WHERE ssn = u
SELECT x FROM unnest(ARRAY[{ssn}]) x WHERE x IN (SELECT ssn FROM people)
SELECT x.* FROM people JOIN (SELECT {ssn}::text AS ssn) x USING (ssn)
SELECT x.ssn FROM people NATURAL JOIN (SELECT {ssn}::text AS ssn) x
SELECT ssn FROM people UNION SELECT {ssn}
SELECT {ssn} INTERSECT SELECT ssn::text FROM people
WITH g(x) AS (SELECT {ssn}) SELECT x FROM g, people WHERE ssn = x
WITH RECURSIVE g(x) AS (SELECT {ssn}::text UNION SELECT g.x FROM g JOIN people p ON p.ssn = g.x) SELECT x FROM g
SELECT ARRAY[{ssn}] && ARRAY[ssn::text], ARRAY[{ssn}] FROM people
SELECT array_position(ARRAY[ssn::text], {ssn}), {ssn} FROM people
SELECT jsonb_build_object(ssn, {ssn}) FROM people
SELECT (ROW(ssn, 1) = ROW({ssn}, 1)), ROW({ssn}, 1) FROM people
SELECT format('%s', {ssn}) FROM people WHERE ssn = {ssn}
SELECT upper({ssn}) FROM people WHERE ssn = {ssn}
SELECT {ssn} || '' FROM people WHERE ssn IN ({ssn}, 'q')
SELECT place FROM visits WHERE ssn = {ssn} AND {ssn}::int > 0
SELECT 1 FROM people WHERE ssn = {ssn} AND 1 / length({ssn}) = {ssn}::int
SELECT id FROM people WHERE ssn = {ssn} ORDER BY {ssn}::date
SELECT count(*) FROM people WHERE ssn = {ssn} GROUP BY {ssn}::text HAVING {ssn}::int > 0
SELECT id FROM people WHERE ssn = {ssn}::varchar(60) AND {ssn}::inet IS NULL
SELECT current_query() FROM people WHERE ssn = {ssn} LIMIT 1
SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid() AND EXISTS (SELECT 1 FROM people WHERE ssn = {ssn})
PREPARE q1 AS SELECT id FROM people WHERE ssn = {ssn} ;; SELECT statement FROM pg_prepared_statements ;; DEALLOCATE q1
PREPARE q2 AS SELECT id FROM people WHERE ssn = {ssn} ;; EXPLAIN (VERBOSE) EXECUTE q2 ;; DEALLOCATE q2
PREPARE q3(text) AS SELECT $1 FROM people WHERE ssn = $1 ;; EXECUTE q3({ssn}) ;; DEALLOCATE q3
PREPARE q4(text) AS SELECT id, $1 AS v FROM people WHERE ssn = 'x' OR id < 3 ;; EXECUTE q4({ssn}) ;; DEALLOCATE q4
PREPARE q5(text) AS INSERT INTO visits (place) VALUES ($1) RETURNING place ;; EXECUTE q5({ssn}) ;; DEALLOCATE q5
BEGIN ;; DECLARE k CURSOR FOR SELECT id FROM people WHERE ssn = {ssn} ;; SELECT statement FROM pg_cursors ;; ROLLBACK
BEGIN ;; DECLARE k CURSOR FOR SELECT {ssn} FROM people WHERE ssn = {ssn} ;; FETCH 1 FROM k ;; ROLLBACK
EXPLAIN VERBOSE SELECT id FROM people WHERE ssn = {ssn}
EXPLAIN (ANALYZE, VERBOSE, SETTINGS, COSTS OFF) SELECT id FROM people WHERE ssn IN ({ssn}, 'q')
EXPLAIN VERBOSE UPDATE people SET name = 'x' WHERE ssn = {ssn}
CREATE TEMP VIEW vq AS SELECT id FROM people WHERE ssn = {ssn} ;; SELECT pg_get_viewdef('vq'::regclass)
CREATE TEMP TABLE tq AS SELECT {ssn}::text AS t FROM people WHERE ssn = {ssn} ;; SELECT t FROM tq
INSERT INTO visits (id, place) SELECT 99, {ssn} FROM people WHERE ssn = {ssn} RETURNING place
UPDATE visits SET place = {ssn} WHERE ssn = {ssn} RETURNING place
UPDATE people SET note = {ssn} WHERE ssn = {ssn} RETURNING note
UPDATE people SET note = CASE ssn WHEN {ssn} THEN {ssn} END RETURNING note
INSERT INTO people (id, ssn) VALUES (99, {ssn}) ON CONFLICT (ssn) DO UPDATE SET note = excluded.ssn RETURNING note
INSERT INTO people (id, ssn) VALUES (98, {ssn})
MERGE INTO people p USING (SELECT {ssn}::text AS s) x ON p.ssn = x.s WHEN MATCHED THEN UPDATE SET note = x.s RETURNING p.note
DELETE FROM visits USING (SELECT {ssn}::text AS s) x WHERE visits.ssn = x.s RETURNING x.s
DO $$ BEGIN RAISE NOTICE '%', {ssn}::text; END $$
SELECT set_config('app.v', {ssn}, false) FROM people WHERE ssn = {ssn} ;; SELECT current_setting('app.v', true)
SELECT ssn LIKE {ssn}, {ssn} FROM people
SELECT id FROM people WHERE ssn = {ssn} COLLATE "C" AND {ssn}::uuid IS NULL
SELECT {email}::text FROM people WHERE email = {email}
SELECT split_part({email}, '@', 1) FROM people WHERE email = {email}
SELECT {code} AS c FROM people WHERE code = {code}
SELECT {code} + 0 FROM people WHERE code = {code}
SELECT code = {code}, {code} + 0 FROM people
SELECT v.x FROM (VALUES ({code})) v(x) JOIN people ON code = v.x
SELECT g FROM generate_series({code}, {code}) g WHERE g IN (SELECT code FROM people)
SELECT (SELECT code FROM people WHERE code = {code}) - 0
SELECT max(code), {code} FROM people WHERE code = {code}
SELECT card & {card} FROM people WHERE card = {card}
SELECT {card}::text FROM people WHERE card IN ({card})
SELECT int8range({card}, {card}, '[]') FROM people WHERE card = {card}
SELECT age({born}::date, DATE '2000-01-01')::text, {born}::date::text FROM people WHERE born = {born}
SELECT generate_series({born}::date, {born}::date, '1 day')::text FROM people WHERE born = {born}
SELECT {ref}::uuid FROM people WHERE ref = {ref}
SELECT uuid_send({ref}::uuid) FROM people WHERE ref = {ref}
COPY (SELECT {ssn} FROM people WHERE ssn = {ssn}) TO STDOUT
COPY (SELECT v.x FROM (VALUES ({ssn})) v(x) JOIN people ON ssn = v.x) TO STDOUT (FORMAT csv)
SELECT {pay} AS p FROM people WHERE pay = {pay}
SELECT pay = {pay}, {pay} + 0 FROM people
SELECT {pay}::text FROM people WHERE pay IN ({pay}, 1)
SELECT CASE pay WHEN {pay} THEN {pay} END FROM people
SELECT v.x FROM (VALUES ({pay})) v(x) JOIN people ON pay = v.x
SELECT width_bucket({pay}, 0, 10000000, 100000000)::text, {pay} FROM people WHERE pay = {pay}
SELECT id FROM people WHERE pay = {pay} AND {pay}::text::date IS NULL
EXPLAIN VERBOSE SELECT id FROM people WHERE pay = {pay}
PREPARE q7(numeric) AS SELECT $1 FROM people WHERE pay = $1 ;; EXECUTE q7({pay}) ;; DEALLOCATE q7
SELECT {at}::timestamp::text FROM people WHERE at = {at}
SELECT at = {at}, {at}::text FROM people
SELECT ({at}::timestamp + interval '0 s')::text FROM people WHERE at = {at}
SELECT u::text FROM people, unnest(ARRAY[{at}::timestamp]) u WHERE at = u
SELECT to_char({at}::timestamp, 'YYYY-MM-DD') FROM people WHERE at = TIMESTAMP {at}
EXPLAIN VERBOSE SELECT id FROM people WHERE at = {at}
SELECT date_trunc('day', {at}::timestamp)::text, id FROM people WHERE at = {at}
SELECT ({seen}::timestamptz AT TIME ZONE 'UTC')::text FROM people WHERE seen = {seen}
SELECT nullif(seen, {seen})::text, {seen} FROM people
EXPLAIN VERBOSE SELECT id FROM people WHERE seen = ANY (ARRAY[{seen}::timestamptz])
PREPARE q8(timestamptz) AS SELECT id FROM people WHERE seen = $1 ;; EXPLAIN EXECUTE q8({seen}) ;; DEALLOCATE q8
SELECT {woke}::time::text FROM people WHERE woke = {woke}
SELECT woke = {woke}, {woke} FROM people
SELECT {tags}::text[] FROM people WHERE tags = {tags}
SELECT tags = {tags}, {tags} FROM people
SELECT unnest({tags}::text[]) FROM people WHERE tags = {tags}
SELECT array_to_string({tags}::text[], ',') FROM people WHERE tags = {tags}
SELECT ({tags}::text[])[1] FROM people WHERE ({tags}::text[])[1] = ANY (tags)
SELECT x FROM unnest({tags}::text[]) x JOIN people ON x = ANY (tags)
SELECT tags && {tags}, {tags} FROM people
SELECT array_position(tags, ({tags}::text[])[1]), {tags} FROM people
EXPLAIN VERBOSE SELECT id FROM people WHERE tags = {tags}
UPDATE people SET note = {tags}::text WHERE tags = {tags} RETURNING note
UPDATE people SET tags = {tags} RETURNING tags
SELECT {parts}::int[]::text FROM people WHERE parts = {parts}
SELECT parts = {parts}, {parts} FROM people
SELECT parts[1], {parts}::text FROM people WHERE parts = {parts}
COPY (SELECT {pay}, {at}, {tags} FROM people WHERE pay = {pay} AND at = {at} AND tags = {tags}) TO STDOUT
