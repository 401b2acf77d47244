-- Ways to make the gateway show what a pseudonym stands for, in MySQL and MariaDB, with {ssn}, {mail}, {code}, {card}, {born}, {ref},
-- {price}, {at} in the place of values. With the real values on a direct connection each shows one; with pseudonyms through the gateway none may.
-- [mariadb] and [mysql]: only one server has the syntax, or only there it shows. [text]: in the text protocol alone.
SELECT {ssn}
SELECT {ssn} AS ssn FROM people WHERE ssn = {ssn}
SELECT 'x' FROM people WHERE {ssn} IN (SELECT ssn FROM people) UNION ALL SELECT {ssn}
SELECT ssn = {ssn} FROM people
SELECT ssn = {ssn}, {ssn} FROM people
SELECT (ssn = {ssn}) IS TRUE FROM people
SELECT NOT ssn <=> {ssn} FROM people
SELECT ssn IN ({ssn}, 'q') FROM people
SELECT (ssn, id) = ({ssn}, 3) FROM people
SELECT IF(ssn = {ssn}, 1, 0) FROM people
SELECT CASE ssn WHEN {ssn} THEN 1 END FROM people
SELECT CASE ssn WHEN {ssn} THEN {ssn} END AS c FROM people
SELECT CASE WHEN ssn = {ssn} THEN {ssn} END AS c FROM people
SELECT x.* FROM (SELECT CASE ssn WHEN {ssn} THEN 1 END FROM people) x
SELECT (SELECT name FROM people WHERE ssn = {ssn})
SELECT (SELECT name FROM people WHERE ssn = {ssn}) AS n, {ssn} AS s
SELECT EXISTS (SELECT 1 FROM people WHERE ssn = {ssn})
SELECT COUNT(ssn = {ssn}) FROM people
SELECT SUM(IF(ssn = {ssn}, 1, 0)) FROM people
SELECT MAX(CASE ssn WHEN {ssn} THEN id END) FROM people
SELECT NULLIF(ssn, {ssn}) FROM people
SELECT COALESCE(NULLIF({ssn}, ssn), 'x') AS c FROM people
SELECT GREATEST(ssn, {ssn}) AS g, LEAST(ssn, {ssn}) AS l FROM people
SELECT FIELD(ssn, {ssn}) FROM people
SELECT ELT(FIELD(ssn, {ssn}), {ssn}) AS e FROM people
SELECT STRCMP(ssn, {ssn}) FROM people
SELECT CONCAT({ssn}, '') AS c FROM people WHERE ssn = {ssn}
SELECT UPPER({ssn}) AS u FROM people WHERE ssn = {ssn}
SELECT REVERSE({ssn}) AS r FROM people WHERE ssn IN ({ssn}, 'q')
SELECT HEX({ssn}) AS h FROM people WHERE ssn = {ssn}
SELECT TO_BASE64({ssn}) AS b FROM people WHERE ssn = {ssn}
SELECT QUOTE({ssn}) AS q FROM people WHERE ssn = {ssn}
SELECT JSON_OBJECT('k', {ssn}) AS j FROM people WHERE ssn = {ssn}
SELECT JSON_OBJECTAGG(ssn, {ssn}) AS j FROM people WHERE ssn = {ssn}
SELECT JSON_ARRAYAGG({ssn}) AS j FROM people WHERE ssn = {ssn}
SELECT GROUP_CONCAT({ssn}) AS g FROM people WHERE ssn = {ssn}
SELECT GROUP_CONCAT(ssn ORDER BY ssn = {ssn}) FROM people
SELECT v.x FROM (SELECT {ssn} AS x UNION ALL SELECT 'q') v JOIN people ON ssn = v.x
SELECT v.x FROM (SELECT {ssn} AS x) v JOIN people ON ssn = v.x
SELECT x FROM (SELECT {ssn} AS x) v WHERE x IN (SELECT ssn FROM people)
SELECT x.ssn FROM people JOIN (SELECT {ssn} AS ssn) x USING (ssn)
SELECT x.ssn FROM people NATURAL JOIN (SELECT {ssn} AS ssn) x
SELECT ssn FROM people UNION SELECT {ssn}
SELECT {ssn} INTERSECT SELECT ssn FROM people
WITH g (x) AS (SELECT {ssn}) SELECT x FROM g, people WHERE ssn = x
WITH g AS (SELECT * FROM people WHERE ssn = {ssn}) SELECT {ssn} AS s, name FROM g
WITH RECURSIVE g (x) AS (SELECT CAST({ssn} AS char(60)) UNION SELECT g.x FROM g JOIN people p ON p.ssn = g.x) SELECT x FROM g
SELECT ssn LIKE {ssn}, {ssn} FROM people
[text] SELECT id FROM people WHERE ssn = {ssn} HAVING {ssn} + 0 > 0 ;; SHOW WARNINGS
[text] SELECT place FROM visits WHERE ssn = {ssn} AND {ssn} + 0 = 0 ;; SHOW WARNINGS
[text] SELECT id FROM people WHERE ssn = {ssn} AND CAST({ssn} AS date) IS NULL ;; SHOW WARNINGS
SELECT id FROM people WHERE ssn = {ssn} AND EXTRACTVALUE('<a/>', CONCAT('~', {ssn}))
SELECT id FROM people WHERE ssn = {ssn} AND UPDATEXML('<a/>', CONCAT('~', {ssn}), 1)
[mariadb] SELECT id FROM people WHERE ssn = {ssn} GROUP BY {ssn} HAVING MAX({ssn}) + 0 = 0 ;; SHOW WARNINGS
[text] SET @s = {ssn} ;; SELECT @s
[text] SET @s = (SELECT ssn FROM people WHERE ssn = {ssn}) ;; SELECT @s
[text] SET @s = (SELECT CONCAT(id, {ssn}) FROM people WHERE ssn = {ssn}) ;; SELECT @s
[text] SELECT {ssn} INTO @s FROM people WHERE ssn = {ssn} ;; SELECT @s
[text] SELECT @s := {ssn} FROM people WHERE ssn = {ssn} ;; SELECT @s
PREPARE q FROM 'SELECT id FROM people WHERE ssn = ''x''' ;; PREPARE q FROM "SELECT ssn = {ssn} FROM people" ;; EXECUTE q ;; DEALLOCATE PREPARE q
PREPARE q FROM "SELECT {ssn} AS s, id FROM people WHERE ssn = {ssn}" ;; EXECUTE q ;; DEALLOCATE PREPARE q
PREPARE q FROM "SELECT id, {ssn} + 0 AS s FROM people WHERE ssn = {ssn}" ;; EXECUTE q ;; SHOW WARNINGS ;; DEALLOCATE PREPARE q
[text] SET @s = {ssn} ;; PREPARE q FROM 'SELECT ? AS s, id FROM people WHERE ssn = ?' ;; EXECUTE q USING @s, @s ;; DEALLOCATE PREPARE q
[mariadb] EXECUTE IMMEDIATE "SELECT {ssn} AS s, id FROM people WHERE ssn = {ssn}"
[mariadb] EXECUTE IMMEDIATE 'SELECT ? AS s, id FROM people WHERE ssn = ?' USING {ssn}, {ssn}
[mariadb] SET STATEMENT max_statement_time = 9 FOR SELECT ssn = {ssn} FROM people
EXPLAIN EXTENDED SELECT id FROM people WHERE name = 'x' OR ssn = {ssn} ;; SHOW WARNINGS
[mysql] EXPLAIN SELECT id FROM people WHERE name = 'x' OR ssn = {ssn} ;; SHOW WARNINGS
[mysql] EXPLAIN FORMAT=TREE SELECT id FROM people WHERE name > 'x' AND mail > {ssn} AND ssn <> {ssn}
[mysql] EXPLAIN ANALYZE SELECT id FROM people WHERE name > 'x' AND ssn <> {ssn}
[mariadb] ANALYZE FORMAT=JSON SELECT id FROM people WHERE name > 'x' AND ssn <> {ssn}
EXPLAIN FORMAT=JSON SELECT name FROM people WHERE note > '' AND ssn <> {ssn}
CREATE VIEW zz_v AS SELECT id FROM people WHERE ssn = {ssn} ;; SHOW CREATE VIEW zz_v
CREATE VIEW zz_w AS SELECT id FROM people WHERE ssn = {ssn} ;; SELECT VIEW_DEFINITION FROM information_schema.VIEWS WHERE TABLE_NAME = 'zz_w'
CREATE TABLE zz_t AS SELECT ssn = {ssn} FROM people ;; SHOW CREATE TABLE zz_t
CREATE TABLE zz_u AS SELECT {ssn} AS t FROM people WHERE ssn = {ssn} ;; SELECT t FROM zz_u
[text] CREATE TEMPORARY TABLE zz_x AS SELECT {ssn} AS t FROM people WHERE ssn = {ssn} ;; SELECT t FROM zz_x
[mariadb] INSERT INTO visits (id, place) SELECT 99, {ssn} FROM people WHERE ssn = {ssn} RETURNING place
[mariadb] DELETE FROM visits WHERE ssn = {ssn} RETURNING CONCAT({ssn}, place) AS x
[mariadb] REPLACE INTO visits (id, place) VALUES (98, {ssn}) RETURNING place
UPDATE people SET note = {ssn} WHERE ssn = {ssn} ;; SELECT note FROM people
INSERT INTO people (id, ssn, note) VALUES (3, {ssn}, 'n') ON DUPLICATE KEY UPDATE note = VALUES(ssn) ;; SELECT note FROM people
INSERT INTO people (id, ssn) VALUES (97, {ssn})
INSERT INTO visits (id, place) VALUES ({ssn}, 'x')
SELECT INFO FROM information_schema.PROCESSLIST WHERE EXISTS (SELECT 1 FROM people WHERE ssn = {ssn})
[mysql] SELECT PROCESSLIST_INFO FROM performance_schema.threads WHERE EXISTS (SELECT 1 FROM people WHERE ssn = {ssn})
[text] SET optimizer_trace = 'enabled=on' ;; SELECT id FROM people WHERE name > 'x' AND ssn = {ssn} ;; SELECT TRACE FROM information_schema.OPTIMIZER_TRACE
[text] SET profiling = 1 ;; SELECT id FROM people WHERE ssn = {ssn} ;; SHOW PROFILES
SELECT {mail} AS m FROM people WHERE mail = {mail}
SELECT SUBSTRING_INDEX({mail}, '@', 1) AS m FROM people WHERE mail = {mail}
SELECT mail = {mail} FROM people
SELECT {code} AS c FROM people WHERE code = {code}
SELECT code = {code} FROM people
SELECT code + {code} - {code} AS c FROM people WHERE code = {code}
SELECT {code} + 0 AS c FROM people WHERE code = {code}
SELECT IF(code = {code}, 'y', 'n') FROM people
SELECT CASE code WHEN {code} THEN {code} END AS c FROM people
SELECT (SELECT name FROM people WHERE code = {code})
SELECT v.x FROM (SELECT {code} AS x) v JOIN people ON code = v.x
SELECT id, {code} AS c FROM people WHERE code IN ({code}) AND EXP({code}) > 0
SELECT id FROM people WHERE code = {code} AND POW({code}, 999) > 0
SELECT id FROM people WHERE code = {code} AND ({code} + 9223372036854775807) > 0
SELECT GREATEST(code, {code}) AS g FROM people
SELECT BIT_OR({code}) AS c FROM people WHERE code = {code}
SELECT JSON_OBJECT('k', {code}) AS j FROM people WHERE code = {code}
SELECT max(code), {code} AS c FROM people WHERE code = {code}
SELECT {card} AS c FROM people WHERE card = {card}
SELECT card = {card} FROM people
SELECT card & {card} AS c FROM people WHERE card = {card}
SELECT HEX({card}) AS c, {card} FROM people WHERE card IN ({card})
SELECT CONCAT('', {card}) AS c FROM people WHERE card = {card}
EXPLAIN FORMAT=JSON SELECT id FROM people WHERE note > '' AND card = {card}
PREPARE q FROM "SELECT card = {card} FROM people" ;; EXECUTE q ;; DEALLOCATE PREPARE q
SELECT {born} AS b FROM people WHERE born = {born}
SELECT born = {born} FROM people
SELECT DATE({born}) AS b FROM people WHERE born = {born}
SELECT DATE_ADD({born}, INTERVAL 0 DAY) AS b FROM people WHERE born = {born}
SELECT born = DATE {born} FROM people
SELECT DATE_FORMAT({born}, '%Y-%m-%d') AS b FROM people WHERE born = DATE{born}
EXPLAIN FORMAT=JSON SELECT id FROM people WHERE note > '' AND born = {born}
[mariadb] SELECT {ref} AS r FROM people WHERE ref = {ref}
[mariadb] SELECT ref = {ref} FROM people
[mariadb] SELECT HEX(CAST({ref} AS uuid)) AS r FROM people WHERE ref = {ref}
[mariadb] EXPLAIN FORMAT=JSON SELECT id FROM people WHERE note > '' AND ref = {ref}
SELECT {price} AS p FROM people WHERE price = {price}
SELECT price = {price} FROM people
SELECT {price} + 0 AS p FROM people WHERE price IN ({price}, 1)
SELECT CONCAT('', {price}) AS p FROM people WHERE price = {price}
SELECT CASE price WHEN {price} THEN {price} END AS p FROM people
SELECT v.x FROM (SELECT {price} AS x) v JOIN people ON price = v.x
EXPLAIN FORMAT=JSON SELECT id FROM people WHERE note > '' AND price = {price}
SELECT {at} AS a FROM people WHERE at = {at}
SELECT at = {at} FROM people
SELECT DATE({at}) AS a FROM people WHERE at = TIMESTAMP {at}
SELECT DATE_FORMAT({at}, '%Y-%m-%d') AS a FROM people WHERE at IN ({at})
EXPLAIN FORMAT=JSON SELECT id FROM people WHERE note > '' AND at = {at}
PREPARE q FROM "SELECT at = {at}, price = {price} FROM people" ;; EXECUTE q ;; DEALLOCATE PREPARE q
