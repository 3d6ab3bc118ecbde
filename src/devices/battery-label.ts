/** What stands on a battery, as an import tells it. Which kinds there are is known to who reckons their health. */
export interface BatteryLabel {
  readonly chemistry: string;
  readonly ratedAh: number;
  /** In series. */
  readonly cells: number;
}

const CHEMISTRY = "battery chemistry";
const RATED_AH = "battery ah";
const CELLS = "battery cells";

/** Reads the three battery columns of a device exchange line: a label, none where all are empty, or what is wrong. */
export function parseBatteryLabel(field: (name: string) => string): BatteryLabel | undefined | string {
  const [chemistry, ah, cells] = [field(CHEMISTRY), field(RATED_AH), field(CELLS)];
  if (chemistry === "" && ah === "" && cells === "") return undefined;
  if (chemistry === "" || ah === "" || cells === "")
    return "A battery has a chemistry, rated ampere-hours and cells in series: fill all three columns, or none.";
  if (!/^\d{1,6}(\.\d{1,4})?$/.test(ah))
    return `The battery's "${ah.slice(0, 20)}" Ah is not a number such as 12 or 6.6.`;
  if (!/^\d{1,3}$/.test(cells)) return `The battery's "${cells.slice(0, 20)}" cells are not a whole number.`;
  return { chemistry: chemistry.toLowerCase().replace(/[\s-]+/g, "_"), ratedAh: Number(ah), cells: Number(cells) };
}
