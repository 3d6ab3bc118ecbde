import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import ts from "typescript";

/** One file of the repository as the rules see it: its path from the root with forward slashes, and its text. */
export type TidyFile = { readonly path: string; readonly text: string };

/** A rule of the house: its promise, and one readable line per file that breaks it. */
export type TidyRule = {
  readonly promise: string;
  readonly breaches: (files: readonly TidyFile[]) => readonly string[];
};

const fileLinesMax = 400;

const isTypeScript = ({ path }: TidyFile): boolean => /\.tsx?$/.test(path) && !path.endsWith(".d.ts");
const isToolConfig = (path: string): boolean =>
  /(^|\/)[^/]*\.config\.ts$/.test(path) || /^test\/support\/(reporter[^/]*|[^/]+\.global)\.ts$/.test(path);
const isGenerated = (path: string): boolean => /(^|\/)generated\//.test(path);

/** Files that may ask the machine for the time or for chance; everything else is given a clock and a source. */
const mayAskTheMachine = (path: string): boolean =>
  /^src\/(kernel\/(time|ids)|main|app)\.ts$/.test(path) || !path.startsWith("src/");

/** The rules of STYLE.md that no linter knows. Order is the order of the report. */
export const tidyRules: readonly TidyRule[] = [
  {
    promise: "no file is named for nothing in particular",
    breaches: (files) =>
      files
        .filter(({ path }) =>
          /^(utils?|helpers?|common|managers?|index)(\.[a-z]+)*\.(tsx?|mjs|cjs|js)$/.test(basename(path)),
        )
        .map(({ path }) => `${path}: name the file for what it holds`),
  },
  {
    promise: "a face declares what it offers: no star exports, and no default exports outside tools' own files",
    breaches: (files) => files.filter(isTypeScript).flatMap(vagueExports),
  },
  {
    promise: "every reminder in the code links an issue",
    breaches: (files) =>
      files
        .filter(({ path }) => isCode(path))
        .flatMap((file) =>
          linesOf(file)
            .filter(({ line }) => /\b(TO[D]O|FIX[M]E|XX[X])\b/.test(line) && !/(https?:\/\/|#\d+)/.test(line))
            .map(({ at }) => `${at}: add the link of an issue, or do it now`),
        ),
  },
  {
    promise: `no source file is longer than ${String(fileLinesMax)} lines`,
    breaches: (files) =>
      files
        .filter((file) => isTypeScript(file) && !isGenerated(file.path))
        .map((file) => ({ path: file.path, lines: file.text.split("\n").length - 1 }))
        .filter(({ lines }) => lines > fileLinesMax)
        .map(({ path, lines }) => `${path}: ${String(lines)} lines, usually two ideas`),
  },
  {
    promise: "the environment is read in src/config.ts alone",
    breaches: (files) =>
      files
        .filter((file) => isTypeScript(file) && /^(src|simulators)\//.test(file.path) && file.path !== "src/config.ts")
        .flatMap((file) =>
          expressions(file, (node) => isMember(node, "process", "env"), "take it from the configuration"),
        ),
  },
  {
    promise: "the program takes its clock and its chance from outside",
    breaches: (files) =>
      files
        .filter((file) => isTypeScript(file) && !mayAskTheMachine(file.path))
        .flatMap((file) => expressions(file, asksTheMachine, "take `clock`, or a source of chance, as a dependency")),
  },
  {
    promise: "the migrations on disk are the migrations in the journal, in order",
    breaches: journalBreaches,
  },
  {
    promise: "nothing names a place that only one machine has",
    breaches: (files) =>
      files
        .filter(({ path }) => path !== "package-lock.json")
        .flatMap((file) =>
          linesOf(file)
            .filter(({ line }) => machinePlaces.some((place) => place.test(line)))
            .map(({ at }) => `${at}: a path or host of one machine`),
        ),
  },
  {
    promise: "every command the pages tell a reader to type exists",
    breaches: commandBreaches,
  },
  {
    promise: "every package we depend on says on its page what it is for",
    breaches: dependencyBreaches,
  },
];

// Written in pieces, so that this file does not break its own rule.
const machinePlaces: readonly RegExp[] = [
  new RegExp(`(^|[^A-Za-z0-9_.-])/${"work"}/`),
  new RegExp(`(^|[^A-Za-z0-9_.-])/${"home"}/[a-z]`),
  new RegExp(`(^|[^A-Za-z0-9_.-])/${"Users"}/[A-Za-z]`),
  new RegExp(`(^|[^A-Za-z0-9_.-])/${"root"}/`),
  new RegExp(`registry[.]${"npmjs"}|${"deb"}[.]debian[.]org`),
];

const isCode = (path: string): boolean => /\.(tsx?|mjs|cjs|js|sql|sh|ya?ml)$/.test(path);

function linesOf(file: TidyFile): readonly { readonly at: string; readonly line: string }[] {
  return file.text.split("\n").map((line, index) => ({ at: `${file.path}:${String(index + 1)}`, line }));
}

function parse(file: TidyFile): ts.SourceFile {
  return ts.createSourceFile(file.path, file.text, ts.ScriptTarget.ESNext, true);
}

/** Lines of every node of the file for which `breaks` holds. Comments and strings never count, being no nodes of that kind. */
function expressions(file: TidyFile, breaks: (node: ts.Node) => boolean, remedy: string): readonly string[] {
  const source = parse(file);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (breaks(node)) {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
      found.push(`${file.path}:${String(line + 1)}: ${node.getText(source).split("\n")[0] ?? ""}: ${remedy}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function isMember(node: ts.Node, object: string, member: string): boolean {
  if (ts.isPropertyAccessExpression(node)) {
    return node.name.text === member && ts.isIdentifier(node.expression) && node.expression.text === object;
  }
  if (ts.isElementAccessExpression(node)) {
    const { argumentExpression: key, expression } = node;
    return ts.isStringLiteral(key) && key.text === member && ts.isIdentifier(expression) && expression.text === object;
  }
  // `const { env } = process` reads it as surely as `process.env` does.
  return (
    ts.isVariableDeclaration(node) &&
    ts.isObjectBindingPattern(node.name) &&
    node.initializer !== undefined &&
    ts.isIdentifier(node.initializer) &&
    node.initializer.text === object &&
    node.name.elements.some((element) => (element.propertyName ?? element.name).getText() === member)
  );
}

function asksTheMachine(node: ts.Node): boolean {
  if (isMember(node, "Date", "now") || isMember(node, "Math", "random")) return true;
  return (
    ts.isNewExpression(node) &&
    ts.isIdentifier(node.expression) &&
    node.expression.text === "Date" &&
    (node.arguments?.length ?? 0) === 0
  );
}

function vagueExports(file: TidyFile): readonly string[] {
  const stars = expressions(
    file,
    (node) =>
      ts.isExportDeclaration(node) && (node.exportClause === undefined || ts.isNamespaceExport(node.exportClause)),
    "name what is exported",
  );
  if (isToolConfig(file.path)) return stars;
  const defaults = expressions(
    file,
    (node) =>
      ts.isExportAssignment(node) ||
      (ts.canHaveModifiers(node) &&
        (ts.getModifiers(node) ?? []).some((modifier) => modifier.kind === ts.SyntaxKind.DefaultKeyword)) ||
      (ts.isExportSpecifier(node) && node.name.text === "default"),
    "export it by name",
  );
  return [...stars, ...defaults];
}

function journalBreaches(files: readonly TidyFile[]): readonly string[] {
  const journalPath = "migrations/meta/_journal.json";
  const onDisk = files
    .map(({ path }) => path)
    .filter((path) => /^migrations\/[^/]+\.sql$/.test(path))
    .map((path) => basename(path, ".sql"))
    .sort();
  const journal = files.find(({ path }) => path === journalPath);
  if (journal === undefined)
    return onDisk.length === 0 ? [] : [`${journalPath}: missing, so no migration would ever run`];
  const { entries } = JSON.parse(journal.text) as {
    readonly entries: readonly { readonly tag: string; readonly when: number }[];
  };
  const listed = entries.map(({ tag }) => tag);
  return [
    ...onDisk
      .filter((tag) => !listed.includes(tag))
      .map((tag) => `migrations/${tag}.sql: not in the journal, so it never runs`),
    ...listed.filter((tag) => !onDisk.includes(tag)).map((tag) => `${journalPath}: lists ${tag}, which is not there`),
    ...listed
      .filter((tag, index) => tag !== [...listed].sort()[index])
      .map((tag) => `${journalPath}: ${tag} is out of order`),
    // The migrator skips whatever is not younger than the last one applied, silently.
    ...entries
      .filter(({ when }, index) => index > 0 && when <= (entries[index - 1]?.when ?? 0))
      .map(
        ({ tag }) => `${journalPath}: ${tag} is not younger than the one before it, so a live database would skip it`,
      ),
  ];
}

function commandBreaches(files: readonly TidyFile[]): readonly string[] {
  const manifest = files.find(({ path }) => path === "package.json");
  if (manifest === undefined) return ["package.json: missing"];
  const { scripts } = JSON.parse(manifest.text) as { readonly scripts: Readonly<Record<string, string>> };
  const missingPages = ["README.md", "CONTRIBUTING.md"].filter((page) => !files.some(({ path }) => path === page));
  const pages = files.filter(({ path }) => /^(README|CONTRIBUTING)\.md$|^docs\/.*\.md$/.test(path));
  return [
    ...missingPages.map((page) => `${page}: missing, and a newcomer begins there`),
    ...pages.flatMap((page) =>
      linesOf(page).flatMap(({ at, line }) =>
        [...line.matchAll(/\bnpm (?:run (?:-s |--silent )?([a-z][\w:-]*)|(test|start)\b)/g)]
          .map((match) => match[1] ?? match[2] ?? "")
          .filter((name) => !Object.hasOwn(scripts, name))
          .map((name) => `${at}: there is no script "${name}" in package.json`),
      ),
    ),
  ];
}

function dependencyBreaches(files: readonly TidyFile[]): readonly string[] {
  const pagePath = "docs/adr/0010-dependencies.md";
  const manifest = files.find(({ path }) => path === "package.json");
  const { dependencies = {}, devDependencies = {} } = JSON.parse(manifest?.text ?? "{}") as Readonly<
    Record<string, Readonly<Record<string, string>>>
  >;
  const names = Object.keys({ ...dependencies, ...devDependencies });
  const page = files.find(({ path }) => path === pagePath)?.text ?? "";
  const listed = [...page.matchAll(/^\| `([^`]+)`/gm)].map((match) => match[1] ?? "");
  return [
    ...names.filter((name) => !listed.includes(name)).map((name) => `${pagePath}: ${name} is missing`),
    ...listed
      .filter((name) => !names.includes(name))
      .map((name) => `${pagePath}: ${name} is no longer in package.json`),
  ];
}

/** Every text file that git knows or would add, without what .gitignore names. Throws where this is no clone. */
export function readRepository(root: string): readonly TidyFile[] {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
  });
  return listed
    .split("\0")
    .filter((path) => path !== "" && statSync(join(root, path), { throwIfNoEntry: false })?.isFile() === true)
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }))
    .filter(({ text }) => !text.includes("\0"));
}

if (process.argv[1] === import.meta.filename) {
  const files = readRepository(process.cwd());
  const breaches = tidyRules.flatMap((rule) => rule.breaches(files).map((breach) => `${breach}\n    ${rule.promise}`));
  for (const breach of breaches) console.error(breach);
  const sourceFiles = files.filter(isTypeScript).length;
  if (sourceFiles === 0) console.error("The tidy check saw no source file, so it proves nothing.");
  console.log(
    `tidy: ${String(files.length)} files, ${String(sourceFiles)} of them source, ${String(breaches.length)} breaches`,
  );
  process.exitCode = breaches.length > 0 || sourceFiles === 0 ? 1 : 0;
}
