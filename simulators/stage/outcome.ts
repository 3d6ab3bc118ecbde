/** What became of something that a person did. */
export interface Outcome {
  readonly isDone: boolean;
  /** What the phone shows of it. */
  readonly words: string;
}

/** Nobody here has this number, lamp, prompt or button. */
export class NotOnStage extends Error {
  readonly what: string;
  constructor(what: string) {
    super(`There is no ${what} here.`);
    this.name = "NotOnStage";
    this.what = what;
  }
}
