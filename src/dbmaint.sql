-- dbmaint: a database administrator's routine inside the server.
-- This file is made from the rooms' pieces; see SQL_PIECES in the Makefile.

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION dbmaint" to load this file. \quit

