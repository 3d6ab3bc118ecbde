/** True when this version of Node runs TypeScript without a flag. Takes `process.versions.node`, such as "20.19.1". */
export function runsTypeScript(version: string): boolean;
