-- The schema of the canary test for MariaDB and MySQL, one statement on a line; [mariadb] and [mysql]: of that server alone.
CREATE TABLE customers ( id int PRIMARY KEY, name varchar(40), city varchar(20), email varchar(80), ssn varchar(30) UNIQUE, card bigint, salary decimal(12, 2), feeling enum('sad', 'ok', 'canarymood'), likes set('tea', 'canarylike'), doc json, raw varbinary(40), born date, seen datetime(3), ratio double, upper_ssn varchar(30) GENERATED ALWAYS AS (upper(ssn)) STORED, KEY by_city (city), KEY by_card (card) )
CREATE TABLE orders ( id int PRIMARY KEY AUTO_INCREMENT, customer_id int, total decimal(12, 2), note varchar(200), placed date, KEY by_customer (customer_id) )
CREATE TABLE wp_masking_hr.staff (id int PRIMARY KEY, name varchar(40), pay int, boss int)
CREATE TABLE events (id int, label varchar(40), secret varchar(40)) PARTITION BY RANGE (id) ( PARTITION low VALUES LESS THAN (10), PARTITION high VALUES LESS THAN MAXVALUE )
CREATE TABLE notes (id int PRIMARY KEY, label varchar(40), body text, secret varchar(60), FULLTEXT KEY words (secret)) ENGINE=MyISAM
CREATE TABLE `Odd ``Table` (id int, `Weird.Col` varchar(40), label varchar(40))
CREATE TABLE numbers (n int PRIMARY KEY, label varchar(40))
CREATE TABLE fk_child (id int PRIMARY KEY, ssn varchar(30), FOREIGN KEY (ssn) REFERENCES customers (ssn))
CREATE TABLE words (id int PRIMARY KEY, label varchar(40), secret varchar(60), FULLTEXT KEY (secret))
CREATE TABLE defaults (id int PRIMARY KEY, label varchar(40), secret varchar(40) DEFAULT 'canarydefault')
CREATE VIEW v_customers AS SELECT id, name AS label, ssn AS number, CONCAT(email, '!') AS mail, city FROM customers
CREATE ALGORITHM = TEMPTABLE VIEW v_temptable AS SELECT id, name AS label, ssn AS number FROM customers
CREATE ALGORITHM = MERGE VIEW v_merge AS SELECT id, ssn, name FROM customers
CREATE VIEW v_two AS SELECT v.number AS deep, v.id FROM v_customers v
CREATE VIEW v_clean AS SELECT id, name AS label, city FROM customers
CREATE VIEW v_union AS SELECT id, ssn AS label FROM customers UNION ALL SELECT id, note FROM orders
CREATE VIEW v_total AS SELECT city, COUNT(*) AS n, MAX(ssn) AS last FROM customers GROUP BY city
CREATE FUNCTION get_ssn(i int) RETURNS varchar(30) READS SQL DATA RETURN (SELECT ssn FROM customers WHERE id = i)
CREATE FUNCTION get_name(i int) RETURNS varchar(40) READS SQL DATA RETURN (SELECT name FROM customers WHERE id = i)
CREATE FUNCTION get_note(i int) RETURNS varchar(200) READS SQL DATA RETURN (SELECT note FROM orders WHERE id = i)
CREATE FUNCTION twice(i int) RETURNS int DETERMINISTIC RETURN i * 2
CREATE FUNCTION via_variable(i int) RETURNS varchar(30) READS SQL DATA BEGIN DECLARE r varchar(30); SELECT ssn INTO r FROM customers WHERE id = i; RETURN r; END
CREATE FUNCTION keep_ssn(i int) RETURNS int READS SQL DATA BEGIN SELECT ssn INTO @kept FROM customers WHERE id = i; RETURN 1; END
CREATE PROCEDURE all_customers() READS SQL DATA SELECT * FROM customers
CREATE PROCEDURE one_ssn(IN i int) READS SQL DATA SELECT ssn FROM customers WHERE id = i
CREATE PROCEDURE out_ssn(IN i int, OUT s varchar(30)) READS SQL DATA SELECT ssn INTO s FROM customers WHERE id = i
CREATE PROCEDURE notes_only() READS SQL DATA SELECT id, note FROM orders ORDER BY id
CREATE PROCEDURE notes_by_cursor() READS SQL DATA BEGIN DECLARE r varchar(200); DECLARE c CURSOR FOR SELECT note FROM orders ORDER BY id; OPEN c; FETCH c INTO r; SELECT id, note FROM orders ORDER BY id; CLOSE c; END
CREATE PROCEDURE run_text(IN t text) BEGIN SET @zz = t; PREPARE zz FROM @zz; EXECUTE zz; DEALLOCATE PREPARE zz; END
CREATE PROCEDURE raise_ssn(IN i int) BEGIN DECLARE r varchar(128); SELECT ssn INTO r FROM customers WHERE id = i; SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = r; END
CREATE PROCEDURE raise_as_server(IN i int) BEGIN DECLARE r varchar(128); SELECT CONCAT('Duplicate entry ''', ssn, ''' for key ''x''') INTO r FROM customers WHERE id = i; SIGNAL SQLSTATE '23000' SET MYSQL_ERRNO = 1062, MESSAGE_TEXT = r; END
CREATE PROCEDURE by_cursor() BEGIN DECLARE done int DEFAULT 0; DECLARE r varchar(30); DECLARE c CURSOR FOR SELECT ssn FROM customers; DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1; OPEN c; FETCH c INTO r; SELECT r AS found; CLOSE c; END
INSERT INTO numbers SELECT a.n * 10 + b.n, CONCAT('number', a.n * 10 + b.n) FROM (SELECT 0 AS n UNION SELECT 1) a, (SELECT 0 AS n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) b
INSERT INTO customers (id, name, city, email, ssn, card, salary, feeling, likes, doc, raw, born, seen, ratio) SELECT n, CONCAT('name', n), CONCAT('city', n % 3), CONCAT('canarymail', n, '@shop.test'), CONCAT('canaryssn', n), 7654321000000 + n, 8765432.5 + n, 'canarymood', 'canarylike', JSON_OBJECT('k', CONCAT('canarydoc', n)), CONCAT('canaryraw', n), CONCAT('1917-03-1', n), CONCAT('1917-03-1', n, ' 11:12:13.123'), 7654321.25 + n FROM numbers WHERE n BETWEEN 1 AND 6
INSERT INTO orders (id, customer_id, total, note, placed) SELECT n, 1 + n % 6, n * 10, CONCAT('note', n), CONCAT('2024-01-0', n) FROM numbers WHERE n BETWEEN 1 AND 9
INSERT INTO wp_masking_hr.staff SELECT n, CONCAT('staff', n), 5432100 + n, NULLIF(n DIV 2, 0) FROM numbers WHERE n BETWEEN 1 AND 5
INSERT INTO words SELECT n, CONCAT('label', n), CONCAT('canarywords', n) FROM numbers WHERE n BETWEEN 1 AND 3
INSERT INTO defaults (id, label) VALUES (1, 'l')
INSERT INTO events SELECT n, CONCAT('event', n), CONCAT('canaryevent', n) FROM numbers WHERE n IN (1, 2, 11, 12)
INSERT INTO notes SELECT n, CONCAT('label', n), CONCAT('body of note ', n), CONCAT('canarynote', n, ' word') FROM numbers WHERE n BETWEEN 1 AND 4
INSERT INTO `Odd ``Table` VALUES (1, 'canaryodd', 'l')
[mariadb] CREATE SEQUENCE counter START WITH 1
[mariadb] CREATE TABLE system_versioned (id int PRIMARY KEY, label varchar(40), secret varchar(40)) WITH SYSTEM VERSIONING
[mariadb] INSERT INTO system_versioned VALUES (1, 'l', 'canaryversion1')
[mariadb] UPDATE system_versioned SET label = 'm'
[mariadb] CREATE TABLE ids (id int, secret uuid, address inet6)
[mariadb] INSERT INTO ids VALUES (1, '63616e61-7279-6361-6e61-727963616e61', '6361:6e61:7279::1')
[mariadb] ANALYZE TABLE customers, events PERSISTENT FOR ALL
[mysql] ANALYZE TABLE customers UPDATE HISTOGRAM ON email, card, salary WITH 8 BUCKETS
CREATE PROCEDURE copy_ssn() MODIFIES SQL DATA CREATE TEMPORARY TABLE IF NOT EXISTS copied AS SELECT id, ssn AS label FROM customers
CREATE PROCEDURE copy_over() MODIFIES SQL DATA BEGIN DROP TEMPORARY TABLE IF EXISTS numbers; CREATE TEMPORARY TABLE numbers AS SELECT id AS n, ssn AS label FROM customers; END
CREATE TABLE kept (id int PRIMARY KEY, label varchar(40), secret varchar(40))
CREATE TABLE kept_by (id int PRIMARY KEY AUTO_INCREMENT, what varchar(200))
CREATE TABLE ticks (id int PRIMARY KEY)
CREATE TABLE pairs (id int PRIMARY KEY, secret varchar(40))
CREATE TABLE events_like (id int, label varchar(40), secret varchar(40))
CREATE VIEW v_kept AS SELECT id, label FROM kept
INSERT INTO kept SELECT n, CONCAT('label', n), CONCAT('canarykept', n) FROM numbers WHERE n BETWEEN 1 AND 3
INSERT INTO pairs SELECT n, CONCAT('canarypair', n) FROM numbers WHERE n BETWEEN 1 AND 3
CREATE TRIGGER kept_updated AFTER UPDATE ON kept FOR EACH ROW BEGIN INSERT INTO kept_by (what) VALUES (OLD.secret); SET @kept_by = CONCAT(OLD.secret, NEW.label); END
CREATE TRIGGER kept_deleted AFTER DELETE ON kept FOR EACH ROW INSERT INTO kept_by SET what = UPPER(OLD.secret)
CREATE TRIGGER kept_inserted BEFORE INSERT ON kept FOR EACH ROW SET NEW.label = COALESCE(NEW.secret, 'x')
CREATE TRIGGER ticked AFTER INSERT ON ticks FOR EACH ROW INSERT INTO kept_by (what) SELECT secret FROM kept
CREATE PROCEDURE tick(IN i int) MODIFIES SQL DATA INSERT INTO ticks VALUES (i)
CREATE PROCEDURE touch_kept() MODIFIES SQL DATA UPDATE v_kept SET label = 'x'
CREATE FUNCTION ticks(i int) RETURNS int MODIFIES SQL DATA BEGIN INSERT INTO ticks VALUES (i); RETURN 1; END
CREATE TABLE merged (id int, label varchar(40), secret varchar(40)) ENGINE=MyISAM
INSERT INTO merged SELECT n, CONCAT('label', n), CONCAT('canarymerged', n) FROM numbers WHERE n BETWEEN 1 AND 3
CREATE TABLE merge_of (id int, label varchar(40), other varchar(40)) ENGINE=MERGE UNION=(merged)
[mariadb] CREATE AGGREGATE FUNCTION aggregated(x varchar(40)) RETURNS varchar(200) DETERMINISTIC BEGIN DECLARE r varchar(200) DEFAULT ''; DECLARE CONTINUE HANDLER FOR NOT FOUND RETURN r; LOOP FETCH GROUP NEXT ROW; SET r = CONCAT(r, x); END LOOP; END
CREATE VIEW v_keeps AS SELECT n AS id, keep_ssn(n) AS done FROM numbers WHERE n = 1
CREATE VIEW v_last AS SELECT id, LAST_INSERT_ID(card) AS c FROM customers WHERE id = 1
CREATE VIEW v_over_last AS SELECT id FROM v_last WHERE c IS NOT NULL
CREATE TABLE hidden (id int, nobody varchar(30) INVISIBLE, secret varchar(40), label varchar(40))
INSERT INTO hidden (id, secret, label) VALUES (1, 'canaryhidden', 'l')
CREATE VIEW v_hidden AS SELECT * FROM hidden
