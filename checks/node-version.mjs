// Loaded by `node --import` before every command of package.json, so it must parse on any Node that npm may find here.
//
// The program is TypeScript that Node runs by stripping the types, which needs Node 22.18, 23.6 or newer. npm installs
// a Node 24 of its own beside the other packages and its scripts prefer that one; only where this binary is missing
// (an unusual platform, or `--omit=optional`) does the machine's own Node get here, and then a plain sentence is worth
// more than the loader's "unknown file extension".

/** True when this version of Node runs TypeScript without a flag. Takes `process.versions.node`, such as "20.19.1". */
export function runsTypeScript(version) {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major === 22) return minor >= 18;
  if (major === 23) return minor >= 6;
  return major >= 24;
}

if (!runsTypeScript(process.versions.node)) {
  process.stderr.write(
    `Washa needs Node 22.18 or newer (24 is best), and this is Node ${process.versions.node} on ${process.platform}-${process.arch}.\n` +
      "Usually npm brings a fitting Node along as an optional package. Either install with optional packages\n" +
      "(`npm ci` without --omit=optional), or, where none exists for this platform, install Node 24 yourself\n" +
      "(`nvm install` reads .nvmrc) and run the command again.\n",
  );
  process.exit(1);
}
