/** A process that answers one question at a time. Knows neither questions nor answers. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export type Asked<Question, Answer> = { run(question: Question): Promise<Answer>; stop(): void };

/** `file`: beside this one. */
export function askedProcess<Question extends object, Answer>(file: string): Asked<Question, Answer> {
  const child = fork(fileURLToPath(new URL(`./${file}`, import.meta.url)), [], {
    execArgv: ['--disable-warning=ExperimentalWarning', ...(process.env.BENCH_NODE?.split(' ') ?? [])],
  });
  return {
    run: (question) =>
      new Promise((resolve, reject) => {
        const gone = () => reject(new Error(`the process of ${file} has ended`));
        child.once('exit', gone);
        child.once('message', (answer: Answer) => {
          child.off('exit', gone);
          resolve(answer);
        });
        child.send(question);
      }),
    stop: () => void child.disconnect(),
  };
}
