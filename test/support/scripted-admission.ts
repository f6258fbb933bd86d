/** An admission that answers as a test says, and keeps what it was asked and told. Every permit is used up exactly once, or it throws. */
import type { Admission, Answer, Ask, Outcome, Permit } from '../../src/engine/admission-ports.ts';

type Later = Extract<Answer, { type: 'later' }>;
type Scripted = 'go' | Exclude<Answer, { type: 'go' }> | ((ask: Ask) => Promise<Answer> | Answer);

export type ScriptedAdmission = Admission & {
  /** Of the permits from now on. */
  isProbe: boolean;
  readonly asked: Ask[];
  /** What became of each permit, in order: the outcome, `dropped`, or `withdrawn` by `confirm()`. */
  readonly told: Array<Outcome | 'dropped' | 'withdrawn'>;
  /** Permits given and not used up. */
  readonly open: number;
  confirms: number;
  left: number;
  permit(): Answer;
  /** One after the other; the last one for ever. Default: go. */
  script(...answers: Scripted[]): void;
  /** What the next `confirm()`s say; after them there is nothing to wait for. */
  hold(...answers: Array<Later | 'send' | Promise<Later | undefined>>): void;
};

export function scriptedAdmission(): ScriptedAdmission {
  let answers: Scripted[] = ['go'];
  let holds: Array<Later | 'send' | Promise<Later | undefined>> = [];
  let open = 0;

  function permit(): Permit {
    open += 1;
    let used = false;
    const use = (what: Outcome | 'dropped' | 'withdrawn') => {
      if (used) throw new Error(`a permit was used twice: ${JSON.stringify(what)}`);
      used = true;
      open -= 1;
      self.told.push(what);
    };
    return {
      isProbe: self.isProbe,
      place: self.isProbe ? { line: 7 } : undefined,
      confirm() {
        self.confirms += 1;
        const next = holds.shift();
        if (next === undefined) return undefined;
        return Promise.resolve(next === 'send' ? undefined : next).then((later) => {
          if (later) use('withdrawn');
          return later;
        });
      },
      report: use,
      drop: () => use('dropped'),
    };
  }

  const self: ScriptedAdmission = {
    isProbe: false,
    asked: [],
    told: [],
    get open() {
      return open;
    },
    confirms: 0,
    left: 0,
    permit: () => ({ type: 'go', permit: permit() }),
    script(...next) {
      answers = next;
    },
    hold(...next) {
      holds = next;
    },
    ask(ask) {
      self.asked.push(ask);
      const answer = (answers.length > 1 ? answers.shift() : answers[0]) ?? 'go';
      if (typeof answer === 'function') return answer(ask);
      return answer === 'go' ? self.permit() : answer;
    },
    async leave() {
      self.left += 1;
    },
  };
  return self;
}
