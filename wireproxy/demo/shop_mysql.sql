-- The sample shop: 170,200 rows, the same ones every time (no RAND(), no NOW()); see shop.sql. The statements end at a line's end.
-- Nobody in here exists: e-mail addresses are of reserved domains, SSNs begin with 9 (never issued), card numbers are of a test range.

CREATE TABLE customers (
    id          int PRIMARY KEY,
    name        varchar(80) NOT NULL,
    email       varchar(120) NOT NULL UNIQUE,
    ssn         char(11) NOT NULL,
    card_number char(16) NOT NULL,
    salary      decimal(10, 2) NOT NULL,
    country     char(2) NOT NULL,
    joined_on   date NOT NULL
);

CREATE TABLE products (
    id          int PRIMARY KEY,
    name        varchar(80) NOT NULL,
    category    varchar(20) NOT NULL,
    price       decimal(8, 2) NOT NULL
);

CREATE TABLE orders (
    id          int PRIMARY KEY,
    customer_id int NOT NULL,
    status      enum('paid', 'shipped', 'returned', 'cancelled') NOT NULL,
    placed_at   datetime NOT NULL,
    KEY (placed_at),
    FOREIGN KEY (customer_id) REFERENCES customers (id)
);

CREATE TABLE order_items (
    order_id    int NOT NULL,
    line        int NOT NULL,
    product_id  int NOT NULL,
    quantity    int NOT NULL,
    price       decimal(8, 2) NOT NULL,
    PRIMARY KEY (order_id, line),
    FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE,
    FOREIGN KEY (product_id) REFERENCES products (id)
);

INSERT INTO customers
SELECT g, concat(first, ' ', last),
       concat(lower(first), '.', lower(last), g, '@example.', elt(g % 3 + 1, 'com', 'net', 'org')),
       concat('9', lpad(g * 37 % 100, 2, '0'), '-', lpad(g * 53 % 90 + 10, 2, '0'), '-', lpad(g * 7919 % 10000, 4, '0')),
       concat('400000', lpad(g * 104729 % 10000000000, 10, '0')),
       28000 + g * 613 % 112000,
       elt(g * 11 % 8 + 1, 'DE', 'FR', 'US', 'JP', 'BR', 'IN', 'KE', 'SE'),
       date '2019-01-01' + INTERVAL g * 17 % 2200 DAY
FROM (
    SELECT seq AS g,
           elt(seq * 7 % 20 + 1, 'Ada', 'Bruno', 'Chiara', 'Deniz', 'Emil', 'Fatou', 'Goran', 'Hana', 'Ines', 'Jonas', 'Kiri', 'Lena',
               'Mateo', 'Nadia', 'Oskar', 'Priya', 'Rosa', 'Sami', 'Tomas', 'Yuki') AS first,
           elt(seq * 5 % 17 + 1, 'Abebe', 'Bauer', 'Costa', 'Dubois', 'Eriksen', 'Fischer', 'Garcia', 'Haddad', 'Ito', 'Jansen',
               'Kumar', 'Larsen', 'Moreau', 'Novak', 'Okafor', 'Petrov', 'Rossi') AS last
    FROM seq_1_to_10000
) AS named;

INSERT INTO products
SELECT seq,
       concat(elt(seq % 5 + 1, 'Plain', 'Fine', 'Sturdy', 'Light', 'Quiet'), ' ',
              elt(seq % 8 + 1, 'kettle', 'lamp', 'notebook', 'backpack', 'keyboard', 'teapot', 'chair', 'mug'), ' no. ', seq),
       elt(seq % 8 + 1, 'kitchen', 'home', 'office', 'travel', 'office', 'kitchen', 'home', 'kitchen'),
       5 + seq * 37 % 240 + 0.90
FROM seq_1_to_200;

INSERT INTO orders
SELECT seq,
       seq * 7919 % 10000 + 1,
       CASE WHEN seq % 20 = 0 THEN 'cancelled' WHEN seq % 33 = 0 THEN 'returned' WHEN seq % 4 = 0 THEN 'paid' ELSE 'shipped' END,
       timestamp '2024-01-01 08:00:00' + INTERVAL (seq * 15485863 % 47304000) SECOND
FROM seq_1_to_40000;

INSERT INTO order_items
SELECT o.id, n.seq, product.id, (o.id + n.seq) % 3 + 1, product.price
FROM orders AS o
     JOIN seq_1_to_4 AS n ON n.seq <= 2 + o.id % 3
     JOIN products AS product ON product.id = (o.id * 31 + n.seq * 67) % 200 + 1;

ANALYZE TABLE customers, products, orders, order_items;
