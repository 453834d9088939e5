"""Statements as agents and analysts write them, for the store in `chinook`."""

from __future__ import annotations

from typing import Any

Query = str | tuple[str, dict[str, Any]]

BOTH: dict[str, Query] = {
    # Prices and tracks
    "raise long tracks": "UPDATE tracks SET unit_price = round(unit_price * 1.10, 2) WHERE milliseconds > 600000;",
    "tiered prices": """
        -- Apply tiered pricing by popularity
        UPDATE tracks
        SET unit_price = CASE
            WHEN track_id IN (SELECT track_id FROM tracks_sold WHERE sold >= 2) THEN 1.29
            WHEN milliseconds < 120000 THEN 0.69
            ELSE unit_price
        END
        WHERE genre_id IN (SELECT genre_id FROM genres WHERE name IN ('Rock', 'Metal', 'Jazz'));""",
    "discount unsold": """
        UPDATE tracks AS t SET unit_price = t.unit_price - 0.30
        WHERE NOT EXISTS (SELECT 1 FROM invoice_lines l WHERE l.track_id = t.track_id) AND t.unit_price > 0.99""",
    "price of a genre, by CTE": """
        WITH popular AS (
            SELECT t.genre_id, sum(l.quantity) AS sold
            FROM tracks t JOIN invoice_lines l ON l.track_id = t.track_id
            GROUP BY t.genre_id HAVING sum(l.quantity) > 200
        )
        UPDATE tracks SET unit_price = 1.49
        WHERE genre_id IN (SELECT genre_id FROM popular) AND unit_price < 1.49""",
    "composer from the artist": """
        UPDATE tracks SET composer = a.name
        FROM albums al JOIN artists a ON a.artist_id = al.artist_id
        WHERE al.album_id = tracks.album_id AND tracks.composer IS NULL AND tracks.genre_id = 1""",
    "trim names": "UPDATE tracks SET name = trim(replace(name, '  ', ' ')) WHERE name LIKE '%  %' OR name <> trim(name)",
    "composer by COALESCE": "UPDATE tracks SET composer = COALESCE(NULLIF(trim(composer), ''), 'Unknown') WHERE composer IS NULL OR trim(composer) = ''",
    "retitle live tracks": (
        "UPDATE tracks SET name = name || :suffix WHERE lower(name) LIKE :pattern",
        {"suffix": " (live: remastered)", "pattern": "%live%"},
    ),
    "delete one track": "DELETE FROM tracks WHERE track_id = (SELECT min(t.track_id) FROM tracks t LEFT JOIN invoice_lines l ON l.track_id = t.track_id WHERE l.track_id IS NULL)",
    "delete unsold tracks": """
        DELETE FROM tracks WHERE NOT EXISTS (SELECT 1 FROM invoice_lines l WHERE l.track_id = tracks.track_id)
        AND milliseconds < 100000""",
    "dearest track of each album": """
        UPDATE tracks SET unit_price = 1.99 WHERE track_id IN (
            SELECT track_id FROM (
                SELECT track_id, row_number() OVER (PARTITION BY album_id ORDER BY milliseconds DESC, track_id) AS rn FROM tracks
            ) ranked WHERE rn = 1) AND album_id BETWEEN 10 AND 60""",
    "first ten only": "UPDATE tracks SET unit_price = 0.49 WHERE track_id IN (SELECT track_id FROM tracks WHERE genre_id = 2 ORDER BY track_id LIMIT 10 OFFSET 5)",
    "new track": (
        "INSERT INTO tracks (name, album_id, media_type_id, genre_id, milliseconds, unit_price) VALUES (:name, :album, 1, NULL, :ms, :price)",
        {"name": 'It\'s: a "test"', "album": 1, "ms": 1234, "price": 0.99},
    ),
    "insert returning": "INSERT INTO tracks (name, milliseconds, unit_price) VALUES ('One', 1000, 0.99), ('Two', 2000, 0.99) RETURNING track_id, name",
    "price log of a bulk change": """
        INSERT INTO price_history (track_id, old_price, new_price)
        SELECT track_id, unit_price, round(unit_price * 1.2, 2) FROM tracks WHERE genre_id = 3;
        UPDATE tracks SET unit_price = round(unit_price * 1.2, 2) WHERE genre_id = 3;""",
    "price history without doubles": "DELETE FROM price_history WHERE track_id < 600 AND old_price < new_price",
    "price history of one": "UPDATE price_history SET new_price = new_price + 1 WHERE track_id = 500",
    # Artists, albums, genres
    "upper artists": "UPDATE artists SET name = upper(substr(name, 1, 3)) || substr(name, 4) WHERE name <> ''",
    "artists without albums": "DELETE FROM artists WHERE artist_id NOT IN (SELECT artist_id FROM albums)",
    "artist and all albums": """
        DELETE FROM invoice_lines WHERE track_id IN (SELECT t.track_id FROM tracks t JOIN albums a USING (album_id) WHERE a.artist_id = 22);
        DELETE FROM artists WHERE artist_id = 22""",
    "merge two artists": """
        BEGIN;
        UPDATE albums SET artist_id = 1 WHERE artist_id IN (2, 3);
        DELETE FROM artists WHERE artist_id IN (2, 3);
        COMMIT;""",
    "merge genres": """
        UPDATE tracks SET genre_id = 4 WHERE genre_id = 23; /* Alternative & Punk takes Alternative */
        DELETE FROM genres WHERE genre_id = 23;""",
    "drop a genre": "DELETE FROM genres WHERE name = 'Opera'",
    "renumber genres": "UPDATE genres SET genre_id = genre_id + 100",
    "rename by upsert": "INSERT INTO genres (genre_id, name) VALUES (1, 'Rock''n''Roll'), (26, 'Polka') ON CONFLICT (genre_id) DO UPDATE SET name = excluded.name",
    "genres that are there": "INSERT INTO genres (name) VALUES ('Rock'), ('Zydeco') ON CONFLICT (name) DO NOTHING",
    "genre names by CASE": "UPDATE genres SET name = CASE genre_id WHEN 1 THEN 'x' WHEN 2 THEN 'y' END WHERE genre_id IN (1, 2)",
    "album by artist": "INSERT INTO albums (title, artist_id) SELECT 'The Best of ' || name, artist_id FROM artists WHERE artist_id IN (SELECT artist_id FROM albums GROUP BY artist_id HAVING count(*) >= 5)",
    "albums without tracks": "DELETE FROM albums WHERE NOT EXISTS (SELECT 1 FROM tracks t WHERE t.album_id = albums.album_id)",
    "compact titles": "UPDATE albums SET title = CASE WHEN length(title) > 40 THEN substr(title, 1, 37) || '...' ELSE title END",
    # Customers
    "one customer": (
        "UPDATE customers SET phone = :phone, email = lower(:email) WHERE customer_id = :id",
        {"phone": "+49 30 12345", "email": "Leonie.Koehler@Example.com", "id": 2},
    ),
    "normalize emails": "UPDATE customers SET email = replace(lower(trim(email)), '.com.br', '.br') WHERE email <> lower(trim(email)) OR country = 'Brazil'",
    "countries": "UPDATE customers SET country = CASE country WHEN 'USA' THEN 'United States' WHEN 'United Kingdom' THEN 'UK' ELSE country END WHERE country IN ('USA', 'United Kingdom')",
    "states unknown": "UPDATE customers SET state = COALESCE(state, 'n/a'), company = NULLIF(company, '') WHERE state IS NULL",
    "customer upsert by email": """
        INSERT INTO customers (first_name, last_name, email, country) VALUES ('Ada', 'Lovelace', 'ada@example.com', 'UK'),
            ('Luis', 'Goncalves', 'luisg@embraer.com.br', 'Brazil')
        ON CONFLICT (email) DO UPDATE SET first_name = excluded.first_name, last_name = excluded.last_name
        WHERE customers.first_name <> excluded.first_name""",
    "new customer": (
        "INSERT INTO customers (first_name, last_name, email, support_rep_id) VALUES (:f, :l, :e, (SELECT employee_id FROM employees WHERE title = 'Sales Support Agent' ORDER BY employee_id LIMIT 1)) RETURNING customer_id",
        {"f": "Zoë", "l": "O'Brien", "e": "zoe@example.com"},
    ),
    "merge duplicate customers": """
        BEGIN;
        -- customer 59 is a duplicate of customer 58
        UPDATE invoices SET customer_id = 58 WHERE customer_id = 59;
        DELETE FROM customers WHERE customer_id = 59;
        COMMIT;""",
    "forget a customer": """
        DELETE FROM invoice_lines WHERE invoice_id IN (SELECT invoice_id FROM invoices WHERE customer_id = 10);
        DELETE FROM invoices WHERE customer_id = 10;
        DELETE FROM customers WHERE customer_id = 10;""",
    "anonymize": """
        UPDATE customers SET first_name = 'Customer', last_name = 'No. ' || customer_id,
            email = 'customer' || customer_id || '@anonymous.invalid', phone = NULL, address = NULL, postal_code = NULL
        WHERE country IN ('Germany', 'France')""",
    "rebalance reps": """
        UPDATE customers SET support_rep_id = (
            SELECT e.employee_id FROM employees e WHERE e.title = 'Sales Support Agent' AND e.employee_id % 2 = customers.customer_id % 2
            ORDER BY (e.employee_id * 7) % 5, e.employee_id LIMIT 1)
        WHERE country = 'USA'""",
    "customers who never bought": "DELETE FROM customers WHERE NOT EXISTS (SELECT 1 FROM invoices i WHERE i.customer_id = customers.customer_id)",
    # Employees
    "fire the boss": "DELETE FROM employees WHERE employee_id = 1",
    "move reports": "UPDATE employees SET reports_to = 1 WHERE reports_to = 2; UPDATE customers SET support_rep_id = 4 WHERE support_rep_id = 3; DELETE FROM employees WHERE employee_id IN (2, 3);",
    "org chart by recursion": """
        WITH RECURSIVE org (employee_id, depth) AS (
            SELECT employee_id, 0 FROM employees WHERE reports_to IS NULL
            UNION ALL SELECT e.employee_id, o.depth + 1 FROM employees e JOIN org o ON e.reports_to = o.employee_id)
        UPDATE employees SET title = title || ' L' || (SELECT depth FROM org WHERE org.employee_id = employees.employee_id)
        WHERE title NOT LIKE '% L_'""",
    "emails of employees": "UPDATE employees SET email = lower(first_name || '.' || last_name) || '@chinook.example'",
    # Invoices and lines
    "mark as refunded": "UPDATE invoices SET status = 'refunded' WHERE invoice_id = 5",
    "overdue in a country": "UPDATE invoices SET status = 'overdue' WHERE billing_country = 'Brazil' AND total > 5 AND invoice_date >= '2010-01-01'",
    "quantity of one line": "UPDATE invoice_lines SET quantity = quantity + 2 WHERE invoice_line_id = 10",
    "prices of open lines": "UPDATE invoice_lines SET unit_price = (SELECT t.unit_price FROM tracks t WHERE t.track_id = invoice_lines.track_id) + 0.05 WHERE invoice_id <= 10",
    "void an invoice": "DELETE FROM invoices WHERE invoice_id = 100",
    "void several": "DELETE FROM invoices WHERE total < 1 AND invoice_date < '2008-01-01'",
    "move lines to another invoice": "UPDATE invoice_lines SET invoice_id = 1 WHERE invoice_id = 2; DELETE FROM invoices WHERE invoice_id = 2",
    "new invoice with lines": """
        INSERT INTO invoices (invoice_id, customer_id, invoice_date, status) VALUES (5000, 7, '2012-02-29', 'draft');
        INSERT INTO invoice_lines (invoice_id, track_id, unit_price, quantity)
            SELECT 5000, track_id, unit_price, 1 FROM tracks WHERE album_id = 5;
        UPDATE invoices SET status = 'paid' WHERE invoice_id = 5000;""",
    "invoice of its own number": "INSERT INTO invoices (customer_id, invoice_date, total) VALUES (1, '2012-03-01', 0.99) RETURNING invoice_id",
    "recompute totals": "UPDATE invoices SET total = (SELECT COALESCE(SUM(l.unit_price * l.quantity), 0) FROM invoice_lines l WHERE l.invoice_id = invoices.invoice_id) WHERE billing_country = 'Canada'",
    "archive old invoices": """
        BEGIN;
        INSERT INTO invoice_archive (invoice_id, customer_id, invoice_date, total, archived_at)
        SELECT invoice_id, customer_id, invoice_date, total, CURRENT_TIMESTAMP FROM invoices WHERE invoice_date < '2007-07-01';
        DELETE FROM invoices WHERE invoice_id IN (SELECT invoice_id FROM invoice_archive);
        COMMIT;""",
    "billing from the customer": """
        UPDATE invoices SET billing_address = c.address, billing_city = c.city
        FROM customers c WHERE c.customer_id = invoices.customer_id AND invoices.invoice_id % 50 = 0""",
    "twice the same line": "INSERT INTO invoice_lines (invoice_id, track_id, unit_price) SELECT invoice_id, track_id, unit_price FROM invoice_lines WHERE invoice_id = 3",
    # Playlists, quoted names
    "playlist by selection": """
        INSERT INTO playlists (playlist_id, name) VALUES (99, 'Best sellers');
        INSERT INTO "PlaylistTrack" ("PlaylistId", "TrackId")
        SELECT 99, track_id FROM (SELECT track_id, rank() OVER (ORDER BY sold DESC) AS r FROM tracks_sold) q WHERE r <= 100 ORDER BY track_id LIMIT 50;""",
    "copy a playlist": """INSERT INTO "PlaylistTrack" SELECT 18, pt."TrackId" FROM "PlaylistTrack" pt WHERE pt."PlaylistId" = 16 ON CONFLICT DO NOTHING""",
    "duplicate playlists": """
        DELETE FROM playlists WHERE playlist_id NOT IN (SELECT min(playlist_id) FROM playlists GROUP BY name)""",
    "move within a playlist": 'UPDATE "PlaylistTrack" SET "PlaylistId" = 4 WHERE "PlaylistId" = 16',
    "tracks out of a playlist": """DELETE FROM "PlaylistTrack" WHERE "PlaylistId" = 5 AND "TrackId" IN (SELECT track_id FROM tracks WHERE genre_id <> 1)""",
    "media types": """UPDATE "MediaType" SET "Name" = replace("Name", 'audio file', 'Audio') WHERE "Name" LIKE '%audio file'""",
    # Reports and settings
    "refresh daily sales": """
        DELETE FROM daily_sales WHERE country = 'USA';
        INSERT INTO daily_sales (day, country, invoices, revenue)
        SELECT date(invoice_date), billing_country, count(*), sum(total) FROM invoices WHERE billing_country = 'USA' GROUP BY 1, 2""",
    "upsert daily sales": """
        INSERT INTO daily_sales (day, country, invoices, revenue)
        SELECT date(invoice_date), billing_country, count(*), sum(total) FROM invoices WHERE invoice_date >= '2011-06-01'
        GROUP BY date(invoice_date), billing_country
        ON CONFLICT (day, country) DO UPDATE SET invoices = daily_sales.invoices + excluded.invoices,
            revenue = daily_sales.revenue + excluded.revenue""",
    "settings upsert": (
        "INSERT INTO settings (key, value) VALUES (:k, :v) ON CONFLICT (key) DO UPDATE SET value = excluded.value RETURNING key, value",
        {"k": "theme", "v": "dark"},
    ),
    "setting renamed": "UPDATE settings SET key = 'default_' || key WHERE key IN ('currency', 'theme')",
    "no settings": "DELETE FROM settings",
    "running revenue": """
        INSERT INTO settings (key, value)
        SELECT 'revenue_' || substr(CAST(day AS text), 1, 7) || '_' || min(country),
            CAST(sum(sum(revenue)) OVER (ORDER BY substr(CAST(day AS text), 1, 7)) AS text)
        FROM daily_sales WHERE revenue > 5 GROUP BY substr(CAST(day AS text), 1, 7)""",
    "nothing to do": "UPDATE tracks SET unit_price = 0 WHERE track_id = -1",
    "percentiles": """
        WITH quartiles AS (SELECT track_id, ntile(4) OVER (ORDER BY milliseconds, track_id) AS q, lag(track_id) OVER (ORDER BY track_id) AS p FROM tracks)
        DELETE FROM "PlaylistTrack" WHERE "PlaylistId" = 8 AND "TrackId" IN (SELECT track_id FROM quartiles WHERE q = 4)""",
    # The schema
    "add a column": "ALTER TABLE artists ADD COLUMN country varchar(2)",
    "add a column with a default": "ALTER TABLE playlists ADD COLUMN public boolean NOT NULL DEFAULT false",
    "backup table": "CREATE TABLE artists_backup AS SELECT * FROM artists WHERE artist_id < 100",
    "index": 'CREATE INDEX tracks_by_price ON tracks (unit_price, "name")',
    "view": "CREATE VIEW expensive AS SELECT t.name, g.name AS genre FROM tracks t LEFT JOIN genres g ON g.genre_id = t.genre_id WHERE t.unit_price > 0.99",
    "drop a table": "DROP TABLE settings",
}
SQLITE: dict[str, Query] = {
    "hire dates": "UPDATE employees SET hire_date = date(hire_date, '+1 month', 'start of month'), birth_date = strftime('%Y-%m-%d', birth_date)",
    "overdue by date arithmetic": "UPDATE invoices SET status = 'overdue' WHERE julianday('2011-12-31') - julianday(invoice_date) > 30 AND invoice_date > date('2011-12-31', '-3 months')",
    "json set": "UPDATE customers SET profile = json_set(profile, '$.newsletter', json('false'), '$.since', '2009') WHERE json_extract(profile, '$.newsletter') = 1",
    "json arrow": "UPDATE customers SET profile = json_insert(profile, '$.likes[#]', 'Metal') WHERE profile ->> '$.likes[0]' = 'Rock'",
    "json each": "INSERT INTO settings SELECT 'like_' || j.value, count(*) FROM customers c, json_each(c.profile, '$.likes') j GROUP BY j.value",
    "json group": "UPDATE artists SET info = (SELECT json_object('albums', json_group_array(title), 'n', count(*)) FROM albums a WHERE a.artist_id = artists.artist_id) WHERE artist_id <= 20",
    "or replace": "INSERT OR REPLACE INTO settings (key, value) VALUES ('vat', '0.19'), ('new', 1)",
    "replace a parent": "INSERT OR REPLACE INTO playlists (playlist_id, name) VALUES (18, 'On-The-Go again')",
    "replace a genre": "REPLACE INTO genres (genre_id, name) VALUES (99, 'Jazz')",
    "or ignore": 'INSERT OR IGNORE INTO "PlaylistTrack" SELECT 17, track_id FROM tracks WHERE genre_id IN (3, 13)',
    "update or ignore": 'UPDATE OR IGNORE "PlaylistTrack" SET "PlaylistId" = 17 WHERE "PlaylistId" = 16',
    "instr and printf": "UPDATE tracks SET name = printf('%02d. %s', track_id % 100, name) WHERE instr(name, 'Love') > 0",
    "group_concat": "UPDATE artists SET info = (SELECT group_concat(title, '; ') FROM albums a WHERE a.artist_id = artists.artist_id) WHERE EXISTS (SELECT 1 FROM albums a WHERE a.artist_id = artists.artist_id)",
    "glob and iif": "UPDATE tracks SET composer = iif(composer GLOB '*/*', replace(composer, '/', ', '), composer) WHERE composer IS NOT NULL",
    "series by recursion": "WITH RECURSIVE days (d) AS (VALUES ('2012-01-01') UNION ALL SELECT date(d, '+1 day') FROM days WHERE d < '2012-01-31') INSERT INTO daily_sales SELECT d, 'none', 0, 0 FROM days",
    "timestamps": "UPDATE customers SET updated_at = datetime('now', 'localtime') WHERE customer_id <= 3",
    "random pick": 'DELETE FROM "PlaylistTrack" WHERE rowid IN (SELECT rowid FROM "PlaylistTrack" ORDER BY random() LIMIT 25)',
    "brackets and backticks": 'UPDATE [tracks] SET `composer` = "name" WHERE [track_id] BETWEEN 1 AND 5',
    "filtered aggregate": "INSERT INTO settings SELECT 'stat' || genre_id, printf('%.2f', avg(unit_price) FILTER (WHERE milliseconds > 200000)) FROM tracks WHERE genre_id IS NOT NULL GROUP BY genre_id",
    "values table": "WITH v (id, price) AS (VALUES (1, 1.5), (2, 2.5), (3, 3.5)) UPDATE tracks SET unit_price = v.price FROM v WHERE v.id = tracks.track_id",
    "row values": "UPDATE customers SET (city, country) = (SELECT city, country FROM employees WHERE employee_id = customers.support_rep_id) WHERE customer_id IN (1, 2)",
    "drop a column": "ALTER TABLE artists DROP COLUMN info",
    "hex and quote": "UPDATE settings SET value = hex(value) || quote(key) || unicode(key) || char(65, 66) || typeof(value) || round(1.5)",
    "limit of a delete": "DELETE FROM price_history WHERE rowid IN (SELECT rowid FROM price_history ORDER BY old_price LIMIT 2)",
    "math": "UPDATE tracks SET unit_price = max(0.1, min(9.9, round(abs(unit_price - 2) * sqrt(4), 2))) WHERE track_id < 100",
}
POSTGRES: dict[str, Query] = {
    "hire dates": "UPDATE employees SET hire_date = date_trunc('month', hire_date) + interval '1 month', birth_date = birth_date - make_interval(days => 3)",
    "overdue by date arithmetic": "UPDATE invoices SET status = 'overdue' WHERE DATE '2011-12-31' - invoice_date::date > 30 AND invoice_date > timestamp '2011-12-31' - INTERVAL '3 months'",
    "extract": "UPDATE invoices SET billing_city = concat(billing_city, ' ', EXTRACT(YEAR FROM invoice_date)::int, to_char(invoice_date, '-MM')) WHERE EXTRACT(DOW FROM invoice_date) = 0 AND total > 8",
    "json set": "UPDATE customers SET profile = jsonb_set(profile, '{newsletter}', 'false'::jsonb) || jsonb_build_object('since', 2009) WHERE profile ->> 'newsletter' = 'true'",
    "json path": "UPDATE customers SET profile = profile #- '{likes,0}' WHERE profile @> '{\"likes\": [\"Rock\"]}' AND jsonb_array_length(profile -> 'likes') > 1",
    "json elements": "INSERT INTO settings SELECT 'like_' || genre, count(*)::text FROM customers c CROSS JOIN LATERAL jsonb_array_elements_text(c.profile -> 'likes') AS genre GROUP BY genre",
    "json agg": "UPDATE artists SET info = q.doc FROM (SELECT artist_id, jsonb_build_object('albums', jsonb_agg(title ORDER BY title), 'n', count(*)) AS doc FROM albums GROUP BY artist_id) q WHERE q.artist_id = artists.artist_id",
    "merge": """
        MERGE INTO daily_sales d
        USING (SELECT invoice_date::date AS day, billing_country AS country, count(*) AS n, sum(total) AS revenue FROM invoices GROUP BY 1, 2) s
        ON d.day = s.day AND d.country = s.country
        WHEN MATCHED AND d.revenue <> s.revenue THEN UPDATE SET revenue = s.revenue
        WHEN MATCHED THEN DELETE
        WHEN NOT MATCHED AND s.revenue > 8 THEN INSERT (day, country, invoices, revenue) VALUES (s.day, s.country, s.n, s.revenue)""",
    "archive in one": """
        WITH moved AS (DELETE FROM invoices WHERE invoice_date < '2007-04-01' RETURNING *)
        INSERT INTO invoice_archive SELECT invoice_id, customer_id, invoice_date, total, now() FROM moved""",
    "log in one": """
        WITH old AS (SELECT track_id, unit_price FROM tracks WHERE genre_id = 2 FOR UPDATE),
        changed AS (UPDATE tracks t SET unit_price = t.unit_price * 1.05 FROM old WHERE old.track_id = t.track_id
            RETURNING t.track_id, old.unit_price AS before, t.unit_price AS after)
        INSERT INTO price_history SELECT track_id, before, after FROM changed RETURNING *""",
    "generate_series": "INSERT INTO daily_sales SELECT d::date, 'none', 0, 0 FROM generate_series('2012-01-01'::date, '2012-03-31', '1 day') AS d",
    "unnest": "INSERT INTO playlists (playlist_id, name) SELECT 200 + n, name FROM unnest(ARRAY['a', 'b', 'c']) WITH ORDINALITY AS u (name, n)",
    "any array": ("UPDATE tracks SET unit_price = 0.59 WHERE track_id = ANY (:ids)", {"ids": [1, 2, 3]}),
    "array agg": "UPDATE artists SET info = to_jsonb(ARRAY(SELECT title FROM albums a WHERE a.artist_id = artists.artist_id ORDER BY 1)) WHERE artist_id < 30",
    "string functions": "UPDATE tracks SET composer = initcap(split_part(composer, ',', 1)), name = regexp_replace(name, '\\s*\\(.*\\)$', '') WHERE name ~ '\\(.*\\)$'",
    "concat_ws and format": "UPDATE customers SET address = concat_ws(', ', address, postal_code, city), company = format('%s (%s)', coalesce(company, 'private'), left(country, 2)) WHERE customer_id < 20",
    "string_agg": "INSERT INTO settings SELECT 'rep_' || e.employee_id, string_agg(c.last_name, ', ' ORDER BY c.last_name) FROM employees e JOIN customers c ON c.support_rep_id = e.employee_id GROUP BY e.employee_id",
    "distinct on": "INSERT INTO invoice_archive SELECT DISTINCT ON (customer_id) invoice_id, customer_id, invoice_date, total, NULL FROM invoices ORDER BY customer_id, invoice_date DESC",
    "delete using": 'DELETE FROM "PlaylistTrack" pt USING tracks t, genres g WHERE t.track_id = pt."TrackId" AND g.genre_id = t.genre_id AND g.name ILIKE \'%jazz%\'',
    "duplicates by ctid": "DELETE FROM price_history a USING price_history b WHERE a.ctid < b.ctid AND a IS NOT DISTINCT FROM b",
    "update from a CTE": """
        WITH ranked AS (SELECT invoice_id, percent_rank() OVER (ORDER BY total) AS pr, sum(total) OVER (PARTITION BY customer_id ORDER BY invoice_date ROWS UNBOUNDED PRECEDING) AS running FROM invoices)
        UPDATE invoices i SET status = CASE WHEN r.pr > 0.98 THEN 'refunded' ELSE i.status END FROM ranked r
        WHERE r.invoice_id = i.invoice_id AND r.pr > 0.95 RETURNING i.invoice_id, r.running""",
    "skip locked": "UPDATE invoices SET status = 'draft' WHERE invoice_id IN (SELECT invoice_id FROM invoices WHERE status = 'paid' ORDER BY invoice_id LIMIT 5 FOR UPDATE SKIP LOCKED) RETURNING *",
    "several columns at once": "UPDATE customers c SET (city, country) = (SELECT e.city, e.country FROM employees e WHERE e.employee_id = c.support_rep_id) WHERE c.customer_id IN (1, 2)",
    "values": "UPDATE tracks AS t SET unit_price = v.price FROM (VALUES (1, 1.5), (2, 2.5), (3, 3.5)) AS v (id, price) WHERE v.id = t.track_id",
    "settings on conflict where": "INSERT INTO settings AS s VALUES ('vat', '0.19') ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value WHERE s.value IS DISTINCT FROM EXCLUDED.value",
    "numbered by nextval": "INSERT INTO invoices (invoice_id, customer_id, invoice_date) VALUES (nextval('invoices_invoice_id_seq'), 1, now())",
    "default values": "INSERT INTO artists (artist_id, name) OVERRIDING SYSTEM VALUE VALUES (9999, 'X'); UPDATE artists SET info = DEFAULT WHERE artist_id < 9",
    "rollup": "INSERT INTO settings SELECT 'r' || coalesce(billing_country, 'all') || grouping(billing_country), sum(total)::text FROM invoices GROUP BY ROLLUP (billing_country)",
    "numbers": "UPDATE tracks SET unit_price = greatest(least(ceil(unit_price * 1.2) - 0.01, 5), 0.5), bytes = div(bytes, 2) WHERE track_id % 10 = 0",
    "ages": "UPDATE employees SET title = title || ' ' || date_part('year', age(timestamp '2012-01-01', hire_date)) WHERE hire_date IS NOT NULL",
    "lateral": "INSERT INTO invoice_archive SELECT i.invoice_id, c.customer_id, i.invoice_date, i.total, localtimestamp FROM customers c CROSS JOIN LATERAL (SELECT * FROM invoices x WHERE x.customer_id = c.customer_id ORDER BY total DESC, invoice_id LIMIT 1) i",
    "median": "UPDATE tracks SET unit_price = (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY unit_price) FROM tracks)::numeric(10,2) WHERE genre_id = 19",
    "empty a table": "TRUNCATE TABLE daily_sales",
    "empty two tables": "TRUNCATE TABLE daily_sales, price_history",
    "drop a column": "ALTER TABLE artists DROP COLUMN info",
    "wider column": "ALTER TABLE playlists ALTER COLUMN name TYPE text",
    "tsvector": "DELETE FROM tracks WHERE to_tsvector('english', name) @@ plainto_tsquery('english', 'christmas') AND NOT EXISTS (SELECT FROM invoice_lines l WHERE l.track_id = tracks.track_id)",
    "sampled": 'DELETE FROM "PlaylistTrack" WHERE ctid = ANY (ARRAY(SELECT ctid FROM "PlaylistTrack" TABLESAMPLE BERNOULLI (5)))',
    "dollar strings and casts": "INSERT INTO settings VALUES ($$it's$$, E'a\\nb'), ('md5', md5('x')), ('now', '2020-01-01'::timestamptz::text), ('time', CAST(make_date(2020, 1, 2) AS text))",
}
REFUSED: dict[str, dict[str, str]] = {
    "sqlite": {},
    "postgresql": {"empty two tables": "it names several tables; send one call for each"},
}
"""What is not done, and why, by database."""


def corpus(dialect: str) -> dict[str, Query]:
    """By name; where both have one of the name, the database's own."""
    return BOTH | (SQLITE if dialect == "sqlite" else POSTGRES)
