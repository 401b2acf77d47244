-- The sample shop: 170,200 rows, the same ones every time (no random(), no now()).
-- Nobody in here exists: e-mail addresses are of reserved domains, SSNs begin with 9 (never issued), card numbers are of a
-- test range with a right check digit.

CREATE FUNCTION pg_temp.luhn(digits text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT digits || (10 - sum(CASE WHEN i % 2 = 1 THEN d * 2 - 9 * (d > 4)::int ELSE d END) % 10) % 10
    FROM (SELECT i, substr(reverse(digits), i, 1)::int AS d FROM generate_series(1, length(digits)) AS i) AS cut
$$;

CREATE TABLE customers (
    id          integer PRIMARY KEY,
    name        text NOT NULL,
    email       text NOT NULL UNIQUE,
    ssn         text NOT NULL,
    card_number text NOT NULL,
    salary      numeric(10, 2) NOT NULL,
    country     text NOT NULL,
    joined_on   date NOT NULL
);

CREATE TABLE products (
    id          integer PRIMARY KEY,
    name        text NOT NULL,
    category    text NOT NULL,
    price       numeric(8, 2) NOT NULL
);

CREATE TABLE orders (
    id          integer PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES customers,
    status      text NOT NULL CHECK (status IN ('paid', 'shipped', 'returned', 'cancelled')),
    placed_at   timestamptz NOT NULL
);

CREATE TABLE order_items (
    order_id    integer NOT NULL REFERENCES orders ON DELETE CASCADE,
    line        integer NOT NULL,
    product_id  integer NOT NULL REFERENCES products,
    quantity    integer NOT NULL,
    price       numeric(8, 2) NOT NULL,
    PRIMARY KEY (order_id, line)
);

INSERT INTO customers
SELECT g,
       first || ' ' || last,
       lower(first || '.' || last) || g || '@example.' || (ARRAY['com', 'net', 'org'])[g % 3 + 1],
       format('9%s-%s-%s', lpad((g * 37 % 100)::text, 2, '0'), lpad((g * 53 % 90 + 10)::text, 2, '0'), lpad((g * 7919 % 10000)::text, 4, '0')),
       pg_temp.luhn('400000' || lpad((g::bigint * 104729 % 1000000000)::text, 9, '0')),
       28000 + g * 613 % 112000,
       (ARRAY['DE', 'FR', 'US', 'JP', 'BR', 'IN', 'KE', 'SE'])[g * 11 % 8 + 1],
       date '2019-01-01' + g * 17 % 2200
FROM generate_series(1, 10000) AS g,
     LATERAL (SELECT (ARRAY['Ada', 'Bruno', 'Chiara', 'Deniz', 'Emil', 'Fatou', 'Goran', 'Hana', 'Ines', 'Jonas', 'Kiri', 'Lena',
                            'Mateo', 'Nadia', 'Oskar', 'Priya', 'Rosa', 'Sami', 'Tomas', 'Yuki'])[g * 7 % 20 + 1] AS first,
                     (ARRAY['Abebe', 'Bauer', 'Costa', 'Dubois', 'Eriksen', 'Fischer', 'Garcia', 'Haddad', 'Ito', 'Jansen', 'Kumar',
                            'Larsen', 'Moreau', 'Novak', 'Okafor', 'Petrov', 'Rossi'])[g * 5 % 17 + 1] AS last) AS named;

INSERT INTO products
SELECT g,
       (ARRAY['Plain', 'Fine', 'Sturdy', 'Light', 'Quiet'])[g % 5 + 1] || ' '
           || (ARRAY['kettle', 'lamp', 'notebook', 'backpack', 'keyboard', 'teapot', 'chair', 'mug'])[g % 8 + 1] || ' no. ' || g,
       (ARRAY['kitchen', 'home', 'office', 'travel', 'office', 'kitchen', 'home', 'kitchen'])[g % 8 + 1],
       5 + g * 37 % 240 + 0.90
FROM generate_series(1, 200) AS g;

INSERT INTO orders
SELECT g,
       g * 7919 % 10000 + 1,
       CASE WHEN g % 20 = 0 THEN 'cancelled' WHEN g % 33 = 0 THEN 'returned' WHEN g % 4 = 0 THEN 'paid' ELSE 'shipped' END,
       timestamptz '2024-01-01 08:00+00' + (g::bigint * 15485863 % 47304000) * interval '1 second'
FROM generate_series(1, 40000) AS g;

INSERT INTO order_items
SELECT o.id, line, product.id, (o.id + line) % 3 + 1, product.price
FROM orders AS o
     CROSS JOIN LATERAL generate_series(1, 2 + o.id % 3) AS line
     JOIN products AS product ON product.id = (o.id * 31 + line * 67) % 200 + 1;

CREATE INDEX ON orders (customer_id);
CREATE INDEX ON orders (placed_at);
ANALYZE;
