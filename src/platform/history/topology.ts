/** How the tables of history are laid out: on one server (or the embedded engine), or on the named cluster. Pure. */
export interface Topology {
  readonly cluster: string | undefined;
  readonly database: string;
}

/** A table's full name for queries; on a cluster that is the Distributed table over every shard's own. */
export function tableName(topology: Topology, table: string): string {
  return `${identifier(topology.database)}.${identifier(table)}`;
}

/** The table of this server's own rows, for what a Distributed table cannot do (deleting, optimising). */
export function localTableName(topology: Topology, table: string): string {
  return tableName(topology, topology.cluster === undefined ? table : `${table}_local`);
}

/** "on cluster name", or nothing. */
export function onCluster(topology: Topology): string {
  return topology.cluster === undefined ? "" : `on cluster ${identifier(topology.cluster)}`;
}

export function identifier(name: string): string {
  return `\`${name.replaceAll("\\", "\\\\").replaceAll("`", "\\`")}\``;
}

/**
 * The statements of a migration for this topology. In the text: `{database}`; `{on_cluster}` after a table's name; `{local}`
 * behind the name of a table that holds rows; `{replicated}` before a MergeTree engine; and statements that begin with
 * `-- cluster only`, which make the Distributed tables. Statements end with a semicolon at the end of a line.
 */
export function statementsOf(text: string, topology: Topology): readonly string[] {
  const { cluster } = topology;
  return text
    .split(/;[ \t]*(?:--[^\n]*)?(?:\n|$)/)
    .map((statement) => statement.trim())
    .filter((statement) => cluster !== undefined || !/^(--[^\n]*\n\s*)*-- cluster only\b/.test(statement))
    .map((statement) => statement.replaceAll(/^\s*--[^\n]*\n?/gm, "").trim())
    .filter((statement) => statement !== "")
    .map((statement) =>
      statement
        .replaceAll("{database}", identifier(topology.database))
        .replaceAll("{cluster}", cluster === undefined ? "" : identifier(cluster))
        .replaceAll("{on_cluster}", onCluster(topology))
        .replaceAll("{local}", cluster === undefined ? "" : "_local")
        .replaceAll("{replicated}", cluster === undefined ? "" : "Replicated")
        .replaceAll(/\{local_only ([^}]*)\}/g, cluster === undefined ? "$1" : ""),
    );
}
