-- What the tests of our types share: the binary form by way of COPY, and
-- damage. Read with \i, with ECHO off; a test makes the table "copied" with one
-- column "v" of its type first.

-- The text form of a value whose binary form is the field; a shell command
-- writes the message.
CREATE FUNCTION copy_binary(field bytea) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    message bytea := '\x5047434f50590aff0d0a00' || '\x00000000'::bytea || '\x00000000'::bytea
        || '\x0001'::bytea || int4send(length(field)) || field || '\xffff'::bytea;
    octal text := '';
BEGIN
    FOR i IN 0 .. length(message) - 1 LOOP
        octal := octal || format('\0%s%s%s', get_byte(message, i) >> 6,
                                 get_byte(message, i) >> 3 & 7, get_byte(message, i) & 7);
    END LOOP;
    TRUNCATE copied;
    EXECUTE format('COPY copied FROM PROGRAM %L (FORMAT binary)',
                   format('printf %%b ''%s''', octal));
    RETURN (SELECT v::text FROM copied);
END $$;

-- A text with a few characters put in, taken out or replaced.
CREATE FUNCTION damaged(base text, alphabet text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    FOR j IN 0 .. floor(random() * 3)::int LOOP
        base := overlay(base PLACING substr(alphabet, 1 + floor(random() * length(alphabet))::int,
                                            floor(random() * 3)::int)
                        FROM 1 + floor(random() * length(base))::int
                        FOR floor(random() * 2)::int);
    END LOOP;
    RETURN base;
END $$;

-- Bytes of which a few are others; half of the time the end is missing.
CREATE FUNCTION damaged(bytes bytea) RETURNS bytea
LANGUAGE plpgsql AS $$
BEGIN
    FOR j IN 0 .. floor(random() * 3)::int LOOP
        bytes := set_byte(bytes, floor(random() * length(bytes))::int, floor(random() * 256)::int);
    END LOOP;
    RETURN substr(bytes, 1, greatest(0, length(bytes) - greatest(0, floor(random() * 6)::int - 3)));
END $$;

-- Reads damaged values: each ends in a value, of which "broken" is not true,
-- or in one of the codes. "value" gives the text of the nth one ($1), and
-- "broken" takes it as $1.
CREATE FUNCTION fuzz(rounds int, value text, broken text, codes text[])
RETURNS TABLE (only_known_codes boolean, some_refused boolean, some_accepted boolean)
LANGUAGE plpgsql AS $$
DECLARE
    input text;
    is_broken boolean;
    refused int := 0;
    accepted int := 0;
    unknown int := 0;
BEGIN
    FOR i IN 1 .. rounds LOOP
        EXECUTE value INTO input USING i;
        BEGIN
            EXECUTE broken INTO is_broken USING input;
            accepted := accepted + 1;
            IF is_broken THEN
                RAISE WARNING 'broken: "%"', input;
                unknown := unknown + 1;
            END IF;
        EXCEPTION WHEN OTHERS THEN
            IF SQLSTATE = ANY (codes) THEN
                refused := refused + 1;
            ELSE
                RAISE WARNING '% for "%"', SQLSTATE, input;
                unknown := unknown + 1;
            END IF;
        END;
    END LOOP;
    RETURN QUERY SELECT unknown = 0, refused > 0, accepted > 0;
END $$;
