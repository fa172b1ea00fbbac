//! The rule table in Rego, run by regorus: by its interpreter and by its virtual machine.

use std::sync::Arc;

use anyhow::Context as _;
use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::program::Program;
use regorus::rvm::vm::RegoVM;
use regorus::{Engine, Value};

const RULES: &str = include_str!("../rules.rego");

/// What is asked for; one evaluation yields verdict, reasons and obligations.
const ANSWER: &str = "data.icpgate.answer";

/// The rule table, compiled, with the policy's data.
#[derive(Debug)]
pub struct Rego {
    engine: Engine,
    program: Arc<Program>,
    data: Value,
}

impl Rego {
    /// Compiles the rule table. `policy` is what the policy document says.
    ///
    /// # Errors
    ///
    /// The table does not compile, which is a defect.
    pub fn new(policy: &serde_json::Value) -> anyhow::Result<Self> {
        let data = value(policy)?;
        let mut engine = Engine::new();
        engine.add_policy("rules.rego".to_owned(), RULES.to_owned())?;
        engine.add_data(data.clone())?;
        let compiled = engine
            .clone()
            .compile_with_entrypoint(&ANSWER.into())
            .context("compile the rules")?;
        let program = Compiler::compile_from_policy(&compiled, &[ANSWER])
            .context("compile the rules for the virtual machine")?;
        Ok(Self {
            engine,
            program,
            data,
        })
    }

    /// An interpreter that is ready to answer one question again and again.
    ///
    /// # Errors
    ///
    /// The rules cannot be prepared.
    pub fn interpreter(
        &self,
        question: &Value,
    ) -> anyhow::Result<impl FnMut() -> anyhow::Result<Value>> {
        let mut engine = self.engine.clone();
        let question = question.clone();
        engine.set_input(question.clone());
        engine.eval_rule(ANSWER.to_owned())?;
        Ok(move || {
            // Anew each time: an input that is set also drops what was found for the last one.
            engine.set_input(question.clone());
            engine.eval_rule(ANSWER.to_owned())
        })
    }

    /// A virtual machine that is ready to answer one question again and again.
    ///
    /// # Errors
    ///
    /// The data cannot be loaded.
    pub fn machine(
        &self,
        question: &Value,
    ) -> anyhow::Result<impl FnMut() -> anyhow::Result<Value>> {
        let mut machine = RegoVM::new();
        machine.load_program(Arc::clone(&self.program));
        machine.set_data(self.data.clone())?;
        machine.set_max_instructions(usize::MAX);
        let question = question.clone();
        Ok(move || {
            machine.set_input(question.clone());
            Ok(machine.execute()?)
        })
    }

    /// What any other rule of the table yields for a question; null where it is undefined.
    ///
    /// # Errors
    ///
    /// The rule is not in the table.
    pub fn rule(&self, name: &str, question: &Value) -> anyhow::Result<serde_json::Value> {
        let mut engine = self.engine.clone();
        engine.set_input(question.clone());
        let found = engine.eval_rule(format!("data.icpgate.{name}"))?;
        if found == Value::Undefined {
            return Ok(serde_json::Value::Null);
        }
        Ok(serde_json::from_str(&found.to_json_str()?)?)
    }
}

/// A document in the engine's own form.
///
/// # Errors
///
/// The document has numbers that the engine cannot hold.
pub fn value(document: &serde_json::Value) -> anyhow::Result<Value> {
    Value::from_json_str(&document.to_string())
}
