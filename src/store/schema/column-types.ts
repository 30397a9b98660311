import { type RawBuilder, sql } from "kysely";

/** What differs between databases in the definition of tables. */
export interface ColumnTypes {
  /** Text that is compared and sorted by code unit, whatever the database's locale. */
  readonly key: RawBuilder<unknown>;
  /** The primary key that numbers rows by itself and never gives a number twice. */
  readonly sequence: RawBuilder<unknown>;
  /** A query that gives a row if there is a table of this name. */
  hasTable(name: string): RawBuilder<unknown>;
  /** Takes, to the end of the transaction, the lock of whoever changes the schema; undefined: a transaction has it anyway. */
  readonly lockSchema: RawBuilder<unknown> | undefined;
  /** Statements after which the table `audit` takes new rows alone. */
  readonly auditRules: readonly RawBuilder<unknown>[];
}

/** SQLite compares texts by their bytes, unless told otherwise. */
export const sqliteTypes: ColumnTypes = {
  key: sql`text`,
  sequence: sql`integer primary key autoincrement`,
  hasTable: (name) => sql`select 1 from sqlite_master where type = 'table' and name = ${name}`,
  lockSchema: undefined,
  auditRules: [
    sql`create trigger audit_no_update before update on audit
      begin select raise(abort, 'the audit log is append-only'); end`,
    sql`create trigger audit_no_delete before delete on audit
      begin select raise(abort, 'the audit log is append-only'); end`,
    // "insert or replace" removes a row without a trigger for deletion.
    sql`create trigger audit_no_replace before insert on audit
      when exists (select 1 from audit where sequence = new.sequence)
      begin select raise(abort, 'the audit log is append-only'); end`,
  ],
};

/** Name of the lock that writers of the audit log take one after the other: the bytes of "valaudit". */
const AUDIT_LOCK = "8530218335053572468";

/** Name of Kysely's own lock, which older versions take for their session: the two kinds keep each other out. */
const SCHEMA_LOCK = "3853314791062309107";

/** PostgreSQL compares by the database's locale, unless told otherwise. */
export const postgresTypes: ColumnTypes = {
  key: sql`text collate "C"`,
  sequence: sql`bigint generated always as identity primary key`,
  hasTable: (name) => sql`select 1 where to_regclass(${name}) is not null`,
  lockSchema: sql`select pg_advisory_xact_lock(${sql.raw(SCHEMA_LOCK)})`,
  auditRules: [
    sql`create function audit_refuse() returns trigger language plpgsql as
      $$ begin raise exception 'the audit log is append-only'; end $$`,
    sql`create trigger audit_no_change before update or delete or truncate on audit
      for each statement execute function audit_refuse()`,
    // Without it a row may become visible after one with a higher number, and whoever reads on from a number misses it.
    sql`create function audit_order() returns trigger language plpgsql as
      $$ begin perform pg_advisory_xact_lock(${sql.raw(AUDIT_LOCK)}); return null; end $$`,
    sql`create trigger audit_in_order before insert on audit
      for each statement execute function audit_order()`,
  ],
};
