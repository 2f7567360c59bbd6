package main

import "testing"

func TestNormalise(t *testing.T) {
	t.Parallel()
	dump := `--
-- PostgreSQL database dump
--

\restrict abc
-- Dumped from database version 15.18
SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);

CREATE TABLE public.a (
    id text
);


CREATE FUNCTION public.f() RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
-- why
SET LOCAL x = 1;


END $$;

\unrestrict abc

`
	want := header + `
CREATE TABLE public.a (
    id text
);

CREATE FUNCTION public.f() RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
-- why
SET LOCAL x = 1;


END $$;
`
	if got := string(normalise([]byte(dump))); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
