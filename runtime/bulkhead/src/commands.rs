//! What `bulkhead` can do: each command in a file of its name, its flags, its help and what it does.

mod attach;
mod check;
mod completions;
mod cp;
mod create;
mod exec;
mod export;
mod images;
mod info;
mod inspect;
mod kill;
mod load;
mod logs;
mod man;
mod network;
mod network_home;
mod network_join;
mod pause;
mod port;
mod prepare;
mod prune;
mod ps;
pub(crate) mod pull;
mod rename;
mod restart;
mod rm;
mod rmi;
pub(crate) mod run;
mod save;
mod start;
mod stats;
mod stop;
mod supervise;
mod tag;
mod top;
mod unpack;
mod unpause;
mod version;
mod wait;

use clap::Subcommand;

pub use cp::CopyError;
pub use unpack::UnpackError;

use crate::arguments::Arguments;
use crate::error::CommandError;

/// The commands, in the order of the help.
#[derive(Debug, Subcommand)]
pub enum Command {
    Run(run::RunArguments),
    Create(create::CreateArguments),
    Prepare(prepare::PrepareArguments),
    Ps(ps::PsArguments),
    Port(port::PortArguments),
    Logs(logs::LogsArguments),
    Rm(rm::RemoveArguments),
    Rename(rename::RenameArguments),
    Start(start::StartArguments),
    Stop(stop::StopArguments),
    Restart(restart::RestartArguments),
    Kill(kill::KillArguments),
    Wait(wait::WaitArguments),
    Exec(exec::ExecArguments),
    Attach(attach::AttachArguments),
    Pause(pause::PauseArguments),
    Unpause(unpause::UnpauseArguments),
    Top(top::TopArguments),
    Stats(stats::StatsArguments),
    Cp(cp::CopyArguments),
    Export(export::ExportArguments),
    #[command(name = containers::supervisor::COMMAND)]
    Supervise(supervise::SuperviseArguments),
    #[command(name = containers::network_names::HOME)]
    NetworkHome(network_home::NetworkHomeArguments),
    #[command(name = containers::network_names::HELPER)]
    NetworkJoin(network_join::NetworkJoinArguments),
    Images(images::ImagesArguments),
    Load(load::LoadArguments),
    Pull(pull::PullArguments),
    Save(save::SaveArguments),
    Tag(tag::TagArguments),
    Rmi(rmi::RemoveImageArguments),
    Prune(prune::PruneArguments),
    Network(network::NetworkArguments),
    Inspect(inspect::InspectArguments),
    Info(info::InfoArguments),
    Check(check::CheckArguments),
    Version(version::VersionArguments),
    Completions(completions::CompletionsArguments),
    Man(man::ManArguments),
}

/// Do what the command line says; the exit status.
pub fn execute(arguments: Arguments) -> Result<u8, CommandError> {
    match arguments.command {
        Command::Run(arguments) => run::execute(&arguments),
        Command::Create(arguments) => create::execute(&arguments),
        Command::Prepare(arguments) => prepare::execute(&arguments),
        Command::Port(arguments) => port::execute(&arguments),
        Command::Ps(arguments) => ps::execute(&arguments),
        Command::Logs(arguments) => logs::execute(&arguments),
        Command::Rm(arguments) => rm::execute(&arguments),
        Command::Rename(arguments) => rename::execute(&arguments),
        Command::Start(arguments) => start::execute(&arguments),
        Command::Stop(arguments) => stop::execute(&arguments),
        Command::Restart(arguments) => restart::execute(&arguments),
        Command::Kill(arguments) => kill::execute(&arguments),
        Command::Wait(arguments) => wait::execute(&arguments),
        Command::Exec(arguments) => exec::execute(&arguments),
        Command::Attach(arguments) => attach::execute(&arguments),
        Command::Pause(arguments) => pause::execute(&arguments),
        Command::Unpause(arguments) => unpause::execute(&arguments),
        Command::Top(arguments) => top::execute(&arguments),
        Command::Stats(arguments) => stats::execute(&arguments),
        Command::Cp(arguments) => cp::execute(&arguments),
        Command::Export(arguments) => export::execute(&arguments),
        Command::Supervise(arguments) => supervise::execute(&arguments),
        Command::NetworkHome(arguments) => network_home::execute(&arguments),
        Command::NetworkJoin(arguments) => network_join::execute(&arguments),
        Command::Images(arguments) => images::execute(&arguments),
        Command::Load(arguments) => load::execute(&arguments),
        Command::Pull(arguments) => pull::execute(&arguments),
        Command::Save(arguments) => save::execute(&arguments),
        Command::Tag(arguments) => tag::execute(&arguments),
        Command::Rmi(arguments) => rmi::execute(&arguments),
        Command::Prune(arguments) => prune::execute(&arguments),
        Command::Network(arguments) => network::execute(&arguments),
        Command::Inspect(arguments) => inspect::execute(&arguments),
        Command::Info(arguments) => info::execute(&arguments),
        Command::Check(arguments) => check::execute(&arguments),
        Command::Version(arguments) => version::execute(&arguments),
        Command::Completions(arguments) => completions::execute(&arguments),
        Command::Man(arguments) => man::execute(&arguments),
    }
}
