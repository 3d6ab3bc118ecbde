/** Topic filters of MQTT: what one matches, and which ones could have brought a message. */

/** Further down, only the filters that end in # are named: the others double with each level. */
const LEVELS_MAX = 8;

/** Whether a topic is among those that the filters ask for. A filter's # stands for its parent too. */
export function makeFilterMatch(filters: readonly string[]): (topic: string) => boolean {
  const patterns = filters.map((filter) =>
    filter
      .split("/")
      .map((level, at) =>
        level === "#"
          ? at === 0
            ? ".*"
            : "(?:/.*)?"
          : `${at === 0 ? "" : "/"}${level === "+" ? "[^/]*" : quote(level)}`,
      )
      .join(""),
  );
  const all = new RegExp(`^(?:${patterns.join("|")})$`, "s");
  return (topic) => all.test(topic);
}

function quote(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** Every filter that matches the topic, up to its eighth level: at most 767. */
export function filtersOf(topic: string): readonly string[] {
  const levels = topic.split("/");
  const filters = ["#"];
  let heads = [""];
  for (const [at, level] of levels.slice(0, LEVELS_MAX).entries()) {
    heads = heads.flatMap((head) => [`${head}${level}`, `${head}+`]);
    if (at === levels.length - 1) filters.push(...heads);
    heads = heads.map((head) => `${head}/`);
    filters.push(...heads.map((head) => `${head}#`));
  }
  return filters;
}
